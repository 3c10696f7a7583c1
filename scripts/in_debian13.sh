#!/bin/sh
# Runs a command in a copy of the project inside a folder with a whole Debian 13 (a root
# for chroot), on which the current line of TFX releases can run. Usage, as the user root:
# in_debian13.sh make test
# Exit status 77: the Debian 13 root could not be made or entered; the reason is printed.
# The root (0.5 GB) and the packages in it (4 GB) stay in ${XDG_CACHE_HOME:-~/.cache}.
set -eu

project=$(cd "$(dirname "$0")/.." && pwd -P)
data=${DATA_DIR:-$project/../shared/data}
packages=ca-certificates,g++,make,python3,python3-dev,python3-venv
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ncf-debian13
root=$cache/root-$(echo "$packages" | cksum | cut -d' ' -f1)

skip() {
    echo "Debian 13 root: $*" >&2
    exit 77
}

install_debootstrap() {
    echo "Debian 13 root: installing debootstrap"
    { apt-get update && apt-get install -y --no-install-recommends \
        debootstrap debian-archive-keyring; } >"$cache/apt.log" 2>&1 || {
        tail -n 5 "$cache/apt.log" >&2
        skip "debootstrap is not installed, and apt-get could not install it."
    }
}

make_root() {
    command -v debootstrap >/dev/null || install_debootstrap
    echo "Debian 13 root: making $root (once, about two minutes)"
    rm -rf "$cache"/root-*
    debootstrap --variant=minbase --include="$packages" trixie "$root.new" \
        ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$cache/debootstrap.log" 2>&1 || {
        tail -n 5 "$cache/debootstrap.log" >&2
        skip "debootstrap failed. DEBIAN_MIRROR= may name another mirror of Debian."
    }
    mv "$root.new" "$root"
}

[ "$(id -u)" = 0 ] || skip "only the user root may make and enter it."
[ "$(uname -m)" = x86_64 ] || skip "the processor must be x86_64; this one is $(uname -m)."
# Mounts in a mount namespace go away with the namespace, however the command ends.
unshare --mount --pid --fork true 2>/dev/null || skip "namespaces are not allowed here."

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # One run at a time, because all runs share the root.
[ -d "$root" ] || make_root

# Inside the root the network is configured as on this machine.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
    /etc/pki/tls/certs/ca-bundle.crt; do
    if [ -f "$bundle" ]; then
        cp -L "$bundle" "$root/etc/ssl/certs/ca-certificates.crt"
        break
    fi
done
index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || :)}

rm -rf "$root/work"
mkdir -p "$root/work/main" "$root/work/shared/data"
tar -C "$project" --exclude=./.venv --exclude=./.uv --exclude='./.*_cache' -cf - . |
    tar -C "$root/work/main" --no-same-owner -xf -
[ -d "$data" ] || data=

# The command gets the settings that hold in the root as well, but none that name files
# of this machine.
set -- sh -c 'cd /work/main && exec "$@"' sh "$@"
for name in CI http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
    PIP_DEFAULT_TIMEOUT PIP_PROXY PIP_TRUSTED_HOST UV_DEFAULT_INDEX UV_HTTP_TIMEOUT \
    UV_INDEX_URL UV_INSECURE_HOST OPENBLAS_CORETYPE OPENBLAS_L2_SIZE; do
    eval "value=\${$name:-}"
    [ -z "$value" ] || set -- "$name=$value" "$@"
done
bundle=/etc/ssl/certs/ca-certificates.crt
set -- HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "SSL_CERT_FILE=$bundle" \
    "PIP_CERT=$bundle" "REQUESTS_CA_BUNDLE=$bundle" ${index:+"PIP_INDEX_URL=$index"} "$@"

exec unshare --mount --pid --fork --kill-child sh -euc '
    root=$1 data=$2
    shift 2
    {
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --rbind /sys "$root/sys"
        [ -z "$data" ] || mount --bind -o ro "$data" "$root/work/shared/data"
    } || {
        echo "Debian 13 root: file systems cannot be mounted; the reason is above." >&2
        exit 77
    }
    exec chroot "$root" env -i "$@" </dev/null
' in_debian13 "$root" "$data" "$@"
