# What docs/vertex.md prepares: bucket, images' repository, the account of the tasks, and
# the rights of whoever submits.
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
  region  = var.region
}

locals {
  runner = "serviceAccount:${google_service_account.runner.email}"
  bucket_roles = [
    "roles/storage.objectUser",
    "roles/storage.legacyBucketReader",
  ]
  runner_roles = concat(
    ["roles/aiplatform.user", "roles/logging.logWriter"],
    var.dataflow ? ["roles/dataflow.developer", "roles/dataflow.worker"] : [],
    var.bigquery ? ["roles/bigquery.jobUser", "roles/bigquery.dataViewer"] : [],
  )
  services = concat(
    [
      "aiplatform.googleapis.com",
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "compute.googleapis.com",
      "iam.googleapis.com",
      "iamcredentials.googleapis.com",
      "storage.googleapis.com",
    ],
    var.dataflow ? ["dataflow.googleapis.com"] : [],
    var.bigquery ? ["bigquery.googleapis.com"] : [],
  )
}

resource "google_project_service" "used" {
  for_each           = toset(local.services)
  service            = each.key
  disable_on_destroy = false
}

# Cloud Build and, on GKE, the nodes run as Compute Engine's default account, to which new
# organisations grant nothing by themselves.
data "google_project" "this" {
  depends_on = [google_project_service.used]
}

resource "google_project_iam_member" "machines" {
  for_each = toset(["roles/cloudbuild.builds.builder"])
  project  = var.project
  role     = each.key
  member   = "serviceAccount:${data.google_project.this.number}-compute@developer.gserviceaccount.com"
}

resource "google_artifact_registry_repository" "images" {
  repository_id = "ncf"
  format        = "DOCKER"
  location      = var.region
  depends_on    = [google_project_service.used]
}

resource "google_storage_bucket" "ncf" {
  name                        = var.bucket
  location                    = var.region
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

resource "google_storage_bucket_iam_member" "runner" {
  for_each = toset(local.bucket_roles)
  bucket   = google_storage_bucket.ncf.name
  role     = each.key
  member   = local.runner
}

resource "google_project_iam_member" "runner" {
  for_each = toset(local.runner_roles)
  project  = var.project
  role     = each.key
  member   = local.runner
}

# Dataflow's jobs run as the account that starts them.
resource "google_service_account_iam_member" "itself" {
  count              = var.dataflow ? 1 : 0
  service_account_id = google_service_account.runner.name
  role               = "roles/iam.serviceAccountUser"
  member             = local.runner
}

resource "google_storage_bucket_iam_member" "submitter" {
  for_each = toset(local.bucket_roles)
  bucket   = google_storage_bucket.ncf.name
  role     = each.key
  member   = var.submitter
}

resource "google_project_iam_member" "submitter" {
  project = var.project
  role    = "roles/aiplatform.user"
  member  = var.submitter

  depends_on = [google_project_service.used]
}

# The second lets `ncf submit vertex` ask what the account may do before a run starts.
resource "google_service_account_iam_member" "submitter" {
  for_each = toset([
    "roles/iam.serviceAccountUser",
    "roles/iam.serviceAccountTokenCreator",
  ])
  service_account_id = google_service_account.runner.name
  role               = each.key
  member             = var.submitter
}
