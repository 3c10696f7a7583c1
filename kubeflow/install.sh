# Installs this package, the last layer of every image, and lists all that is in it.
#
# Nothing is asked of an index: setuptools is one of the locked packages.
set -eu
pip install --no-deps --no-index --no-build-isolation --no-cache-dir /tmp/source
mkdir -p /opt/ncf/share/sbom
python /tmp/source/kubeflow/sbom.py /opt/ncf/share/sbom
rm -rf /tmp/source
