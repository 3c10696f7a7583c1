#!/bin/sh
# Sets up an empty Google Cloud project with billing and starts a run of the pipeline:
#
#   kubeflow/up.sh gke|vertex PROJECT BUCKET interactions.csv
#
# The script makes the resources that kubeflow/terraform/gke or kubeflow/terraform/vertex
# describes. They cost money, so Terraform lists them and asks first. The script then
# builds the image, on GKE installs Kubeflow Pipelines, compiles the pipeline with its
# default configuration and submits a run. When it is called again, it changes only what
# differs and submits another run. REGION and ZONE are us-central1 and us-central1-a unless
# they are set. You need gcloud and Terraform, both logged in (gcloud auth login, gcloud
# auth application-default login), `ncf`, and for GKE kubectl with gke-gcloud-auth-plugin.
set -eu

if [ $# -ne 4 ] || [ ! -d "$(dirname "$0")/terraform/${1:-none}" ]; then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
target=$1 project=$2 bucket=$3 data=$4
region=${REGION:-us-central1}
zone=${ZONE:-$region-a}
version=2.17.0 # The version of Kubeflow Pipelines whose source was read.
if [ ! -f "$data" ]; then
    echo "There is no file $data." >&2
    exit 2
fi
data_path=gs://$bucket/data/$(basename "$data")
data=$(cd "$(dirname "$data")" && pwd)/$(basename "$data")
cd "$(dirname "$0")/.."

infrastructure() {
    terraform -chdir="kubeflow/terraform/$target" "$@"
}

say() {
    echo "== $*" >&2
}

say "The project's services, bucket, accounts and rights"
gcloud services enable cloudresourcemanager.googleapis.com --project "$project"
infrastructure init
if [ "$target" = gke ]; then
    infrastructure apply -var "project=$project" -var "bucket=$bucket" -var "zone=$zone"
else
    infrastructure apply -var "project=$project" -var "bucket=$bucket" \
        -var "region=$region" -var "submitter=user:$(gcloud config get account)"
fi
runner=$(infrastructure output -raw runner)
repository=$(infrastructure output -raw repository)

say "The data and the image"
gcloud storage cp "$data" "$data_path" --project "$project"
gcloud builds submit --config kubeflow/cloudbuild.yaml --project "$project" \
    --substitutions "_TARGET=cpu,_REPOSITORY=$repository"
image=$(gcloud artifacts docker images describe "$repository/ncf-tfx:cpu" \
    --project "$project" --format "value(image_summary.fully_qualified_digest)")

mkdir -p build
if [ "$target" = vertex ]; then
    say "The pipeline"
    ncf compile vertex -o build/pipeline.json --image "$image" \
        --root "gs://$bucket/runs" --serving "gs://$bucket/serving"
    ncf submit vertex build/pipeline.json --project "$project" --region "$region" \
        --service-account "$runner" --param "data_path=$data_path"
    exit
fi

say "Kubeflow Pipelines $version"
manifests=github.com/kubeflow/pipelines/manifests/kustomize
gcloud container clusters get-credentials ncf --project "$project" --location "$zone"
kubectl apply -k "$manifests/cluster-scoped-resources?ref=$version"
kubectl wait --for condition=established --timeout=60s crd/applications.app.k8s.io
kubectl apply -k "$manifests/env/platform-agnostic?ref=$version"
kubectl annotate --overwrite serviceaccount pipeline-runner -n kubeflow \
    "iam.gke.io/gcp-service-account=$runner"
for name in ml-pipeline ml-pipeline-ui; do
    kubectl rollout status "deployment/$name" -n kubeflow --timeout 15m
done

say "The pipeline"
ncf compile kfp -o build/pipeline.yaml --image "$image" --serving "gs://$bucket/serving"
kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80 >/dev/null &
trap 'kill $! 2>/dev/null || true' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10; do
    curl -sf http://localhost:8080/apis/v2beta1/healthz >/dev/null && break
    sleep 3
done
ncf submit kfp build/pipeline.yaml --host http://localhost:8080 \
    --root "gs://$bucket/runs" --google-account "$runner" \
    --param "data_path=$data_path"
say "To see the run: kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80"
