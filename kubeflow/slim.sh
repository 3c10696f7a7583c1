# Removes from an environment what no task reads: C++ headers, other projects' tests, and
# of CUDA's libraries two that TensorFlow never loads.
set -eu
packages=$(echo "$1"/lib/python3.*/site-packages)
rm -rf "$packages/tensorflow/include"
for project in numba numpy pandas pyarrow scipy sklearn; do
    find "$packages/$project" -type d -name tests -prune -exec rm -rf {} +
done
rm -f "$packages"/nvidia/cusolver/lib/libcusolverMg.so.* \
    "$packages"/nvidia/cuda_nvrtc/lib/*.alt.so.*
