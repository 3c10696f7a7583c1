# The cluster of kubeflow/README.md: system, data and accelerator pools, bucket, images'
# repository, and the account of the pods. Kubeflow itself comes after it, with kubectl.
terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0, < 8.0"
    }
  }
}

provider "google" {
  project = var.project
}

locals {
  region = join("-", slice(split("-", var.zone), 0, 2))
  member = "serviceAccount:${google_service_account.runner.email}"
}

resource "google_project_service" "used" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "storage.googleapis.com",
  ])
  service            = each.key
  disable_on_destroy = false
}

# Cloud Build and, on GKE, the nodes run as Compute Engine's default account, to which new
# organisations grant nothing by themselves.
data "google_project" "this" {
  depends_on = [google_project_service.used]
}

resource "google_project_iam_member" "machines" {
  for_each = toset([
    "roles/artifactregistry.reader",
    "roles/cloudbuild.builds.builder",
    "roles/container.defaultNodeServiceAccount",
  ])
  project = var.project
  role    = each.key
  member  = "serviceAccount:${data.google_project.this.number}-compute@developer.gserviceaccount.com"
}

resource "google_artifact_registry_repository" "images" {
  repository_id = "ncf"
  format        = "DOCKER"
  location      = local.region
  depends_on    = [google_project_service.used]
}

resource "google_storage_bucket" "ncf" {
  name                        = var.bucket
  location                    = local.region
  uniform_bucket_level_access = true
  depends_on                  = [google_project_service.used]

  # As kubeflow/lifecycle.json: serving/ and checkpoints/ stay.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 30
      matches_prefix = ["runs/"]
    }
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 7
      matches_prefix = ["temp/"]
    }
  }
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }
}

resource "google_service_account" "runner" {
  account_id   = "ncf-runner"
  display_name = "Tasks of the NCF pipeline"
  depends_on   = [google_project_service.used]
}

# The role for objects has no right to get the bucket, for which TensorFlow asks.
resource "google_storage_bucket_iam_member" "runner" {
  for_each = toset(["roles/storage.objectUser", "roles/storage.legacyBucketReader"])
  bucket   = google_storage_bucket.ncf.name
  role     = each.key
  member   = local.member
}

resource "google_service_account_iam_member" "pods" {
  service_account_id = google_service_account.runner.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[kubeflow/pipeline-runner]"
  depends_on         = [google_container_cluster.ncf]
}

resource "google_container_cluster" "ncf" {
  name                = "ncf"
  location            = var.zone
  initial_node_count  = 2
  deletion_protection = var.deletion_protection
  depends_on          = [google_project_iam_member.machines]

  node_config {
    machine_type = "e2-standard-4"
    oauth_scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }
  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }
}

resource "google_container_node_pool" "data" {
  name               = "data"
  cluster            = google_container_cluster.ncf.name
  location           = var.zone
  initial_node_count = 0

  autoscaling {
    min_node_count = 0
    max_node_count = 4
  }
  node_config {
    machine_type = "e2-standard-8"
    oauth_scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }
}

# GKE puts the taints of GPUs and TPUs on nodes by itself.
resource "google_container_node_pool" "accelerated" {
  for_each           = var.accelerated
  name               = each.key
  cluster            = google_container_cluster.ncf.name
  location           = var.zone
  initial_node_count = 0

  autoscaling {
    min_node_count = 0
    max_node_count = each.value.max_nodes
  }
  node_config {
    machine_type = each.value.machine_type
    spot         = each.value.spot
    oauth_scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
    dynamic "guest_accelerator" {
      for_each = each.value.gpu == null ? [] : [each.value]
      content {
        type  = guest_accelerator.value.gpu
        count = guest_accelerator.value.gpus
        gpu_driver_installation_config {
          gpu_driver_version = "DEFAULT"
        }
      }
    }
    dynamic "taint" {
      for_each = each.value.spot ? [1] : []
      content {
        key    = "cloud.google.com/gke-spot"
        value  = "true"
        effect = "NO_SCHEDULE"
      }
    }
  }
}
