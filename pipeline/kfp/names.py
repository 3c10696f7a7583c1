"""Names that Kubernetes takes.

It refuses others when it makes the pod, which may be hours after the submission.
"""

from typing import Annotated

import pydantic

_HOST = "[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
_WORD = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"

# Of an object, such as a secret or a volume claim.
Name = Annotated[str, pydantic.Field(pattern=f"^{_HOST}$", max_length=253)]
# Of a key in a secret or a config map.
DataKey = Annotated[str, pydantic.Field(pattern="^[A-Za-z0-9_.-]+$", max_length=253)]
# Of a label, such as `pool` or `cloud.google.com/gke-spot`.
LabelKey = Annotated[str, pydantic.Field(pattern=f"^({_HOST}/)?{_WORD}$")]
# Of an annotation; Kubernetes lowers its case before the check.
AnnotationKey = Annotated[str, pydantic.Field(pattern=f"^((?i:{_HOST})/)?{_WORD}$")]
# Of a taint that is tolerated; "" is that of all taints.
TaintKey = Annotated[str, pydantic.Field(pattern=f"^(({_HOST}/)?{_WORD})?$")]
LabelValue = Annotated[str, pydantic.Field(pattern=f"^({_WORD})?$")]
