variable "project" {
  description = "Id of the Google Cloud project; it must exist and have billing."
  type        = string
}

variable "region" {
  description = "Of Vertex AI, the bucket and the images."
  type        = string
  default     = "us-central1"
}

variable "bucket" {
  description = "Name of the bucket for data, runs and pushed models; nobody else's."
  type        = string
}

variable "submitter" {
  description = "Who starts runs: user:me@example.com, or the account of a CI."
  type        = string
}

variable "dataflow" {
  description = "Whether steps on Beam run on Dataflow."
  type        = bool
  default     = false
}

variable "bigquery" {
  description = "Whether data are read from BigQuery."
  type        = bool
  default     = false
}

output "runner" {
  description = "For `ncf submit vertex --service-account`."
  value       = google_service_account.runner.email
}

output "repository" {
  description = "For Cloud Build's _REPOSITORY."
  value       = "${var.region}-docker.pkg.dev/${var.project}/ncf"
}
