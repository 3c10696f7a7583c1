# Removes from an environment what no task reads: C++ headers and other projects' tests.
set -eu
packages=$(echo "$1"/lib/python3.*/site-packages)
rm -rf "$packages/tensorflow/include"
for project in numpy pandas pyarrow scipy sklearn; do
    find "$packages/$project" -type d -name tests -prune -exec rm -rf {} +
done
