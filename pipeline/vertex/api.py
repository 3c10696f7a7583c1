"""The client of Vertex AI Pipelines in one region, with addresses of the console."""

from pipeline.cluster import google_cloud
from pipeline.vertex import google_cloud as vertex_client

_CONSOLE = "https://console.cloud.google.com/vertex-ai"


class VertexApi:
    """Vertex AI Pipelines in one region of a project.

    Args:
        project: the id of the Google Cloud project.
        region: such as us-central1.
        endpoint: URL of the API; None is that of the region.

    Raises:
        ValueError: there is no such region, or this machine has no credentials.
    """

    def __init__(
        self, *, project: str, region: str, endpoint: str | None = None
    ) -> None:
        vertex_client.check_region(region)
        self.project = project
        self.region = region
        self.credentials = google_cloud.find_credentials()
        self.client = vertex_client.import_client()
        self.client.init(
            project=project,
            location=region,
            credentials=self.credentials,
            api_endpoint=endpoint,
            api_transport="rest",  # REST passes proxies, which gRPC often does not.
        )

    def page(self, kind: str, resource: str) -> str:
        """Returns the address of a page of the console, of `runs` or `schedules`."""
        return (
            f"{_CONSOLE}/locations/{self.region}/pipelines/{kind}/"
            f"{resource.rpartition('/')[2]}?project={self.project}"
        )
