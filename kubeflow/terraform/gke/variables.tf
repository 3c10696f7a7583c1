variable "project" {
  description = "Id of the Google Cloud project; it must exist and have billing."
  type        = string
}

variable "zone" {
  description = "Of the cluster, such as us-central1-a; it must have the accelerators."
  type        = string
  default     = "us-central1-a"
}

variable "bucket" {
  description = "Name of the bucket for data, runs and pushed models; nobody else's."
  type        = string
}

variable "accelerated" {
  description = "Pools for Trainer, by name: machines of pipeline/cluster/machines.py."
  type = map(object({
    machine_type = string
    gpu          = optional(string)
    gpus         = optional(number, 1)
    spot         = optional(bool, false)
    max_nodes    = optional(number, 1)
  }))
  default = {
    l4 = {
      machine_type = "g2-standard-8"
      gpu          = "nvidia-l4"
    }
    v5e = {
      machine_type = "ct5lp-hightpu-1t"
    }
  }
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` must not remove the cluster."
  type        = bool
  default     = true
}

output "runner" {
  description = "For `ncf submit kfp --google-account`."
  value       = google_service_account.runner.email
}

output "repository" {
  description = "For Cloud Build's _REPOSITORY."
  value       = "${local.region}-docker.pkg.dev/${var.project}/ncf"
}
