#!/bin/bash
# Makes the guest that the kernel interop tests boot: a User-Mode Linux kernel, its modules and a small root file
# system (iproute2, wpa_supplicant, strongSwan, tcpdump, iperf3), all from Debian packages.
#
#   build.sh DEST [APT-OPTION...]
#
# Installs nothing and needs no root: packages are downloaded (about 70 MB) and unpacked below DEST (about 150 MB).
# Run again, it does nothing unless this script has changed. Needs apt-get, dpkg-deb and tar, and package lists that
# know `user-mode-linux` (Debian 12 does); lists that the machine lacks are fetched into DEST.
set -euo pipefail

fail() { echo "build.sh: $1" >&2; exit 4; }

[ $# -ge 1 ] || { echo "usage: build.sh DEST [APT-OPTION...]" >&2; exit 3; }
for tool in apt-get dpkg-deb tar flock sha256sum; do
    command -v "$tool" > /dev/null || fail "needs $tool: this works on Debian and its relatives"
done
mkdir -p "$1"
DEST=$(cd "$1" && pwd); shift
STAMP=$(sha256sum "$0" | cut -d' ' -f1)

exec 9> "$DEST/lock"                    # two builds of one folder: the second waits, then finds it done
flock 9
if [ "$(cat "$DEST/stamp" 2> /dev/null)" = "$STAMP" ]; then
    echo "kernel guest: already built in $DEST"
    exit 0
fi
rm -rf "$DEST/stamp" "$DEST/rootfs" "$DEST/uml" "$DEST/apt"

PACKAGES="user-mode-linux busybox-static dash kmod iproute2 iputils-ping iputils-arping ethtool tcpdump socat iperf3
          wpasupplicant strongswan-charon strongswan-swanctl libstrongswan-standard-plugins"

# --- download ------------------------------------------------------------------------------------------------------
mkdir -p "$DEST/apt/archives/partial" "$DEST/apt/lists/partial"
: > "$DEST/apt/status"                  # an empty dpkg status: apt resolves the whole closure, whatever is installed
APT=(-qq -o Dir::State::status="$DEST/apt/status" -o Dir::Cache::archives="$DEST/apt/archives"
     -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
     -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o APT::Install-Recommends=false "$@")
known() { apt-cache "${APT[@]}" show user-mode-linux > /dev/null 2>&1; }
if ! known; then
    echo "kernel guest: fetching package lists into $DEST/apt/lists"
    APT+=(-o Dir::State::lists="$DEST/apt/lists")
    apt-get "${APT[@]}" update > "$DEST/apt/log" 2>&1 || { tail -5 "$DEST/apt/log" >&2; fail "apt-get update failed"; }
    known || fail "the package sources of this machine do not know user-mode-linux (Debian 12's do)"
fi
echo "kernel guest: downloading packages into $DEST/apt/archives"
# shellcheck disable=SC2086
apt-get "${APT[@]}" -y --download-only install $PACKAGES > "$DEST/apt/log" 2>&1 \
    || { tail -5 "$DEST/apt/log" >&2; fail "the download failed; with old package lists, apt-get update helps"; }

# --- unpack --------------------------------------------------------------------------------------------------------
# Pieces of the base system that the closure drags in and the guest has no use for. Debian's names of libraries that
# programs in the guest are linked against must not match.
UNUSED='^(perl-base|debconf|adduser|passwd|systemd|libsystemd-shared|init-system-helpers|e2fsprogs|mount|util-linux'
UNUSED+='|login|dpkg|tar|gcc-12-base|debianutils|libpam|libsemanage|sensible|lsb-base|sysvinit-utils|ncurses|hostname'
UNUSED+='|base-|coreutils|libdebconf)'
echo "kernel guest: unpacking into $DEST/rootfs"
ROOT=$DEST/rootfs
mkdir -p "$ROOT"/usr/{bin,sbin,lib,lib64}
for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$ROOT/$directory"; done
for package in "$DEST"/apt/archives/*.deb; do
    name=$(basename "$package"); name=${name%%_*}
    [[ $name =~ $UNUSED ]] && continue
    dpkg-deb --fsys-tarfile "$package" \
        | tar -x -C "$ROOT" --no-same-owner --keep-directory-symlink \
              --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' \
              --exclude='./usr/share/info' --exclude='./usr/share/bash-completion' --exclude='./usr/lib/systemd'
done
mkdir -p "$DEST/uml"
mv "$ROOT/usr/bin/linux.uml" "$DEST/uml/linux.uml"

# --- modules: network and crypto only -------------------------------------------------------------------------------
VERSION=$(ls "$ROOT/usr/lib/uml/modules")
ln -sfn uml/modules "$ROOT/usr/lib/modules"
MODULES=$ROOT/usr/lib/uml/modules/$VERSION/kernel
find "$MODULES" -mindepth 1 -maxdepth 1 -type d \
    ! -name net ! -name crypto ! -name drivers ! -name lib ! -name arch -exec rm -rf {} +
find "$MODULES/drivers" -mindepth 1 -maxdepth 1 -type d ! -name net -exec rm -rf {} +
# The guest's own depmod, by the guest's own loader: the machine may have none, or another libc.
"$ROOT"/lib64/ld-linux-*.so.* --argv0 depmod --library-path "$(echo "$ROOT"/usr/lib/*-linux-gnu)" \
    "$ROOT/usr/bin/kmod" -b "$ROOT/usr" "$VERSION" 2> "$DEST/apt/depmod.log" || fail "depmod: $(tail -1 "$DEST/apt/depmod.log")"

# --- the rest of a root file system ---------------------------------------------------------------------------------
"$ROOT/bin/busybox" --list | while read -r applet; do
    [ -e "$ROOT/bin/$applet" ] || [ -e "$ROOT/sbin/$applet" ] || ln -s busybox "$ROOT/bin/$applet"
done
ln -sf dash "$ROOT/bin/sh"              # not busybox: its shell prefers its own ip and ping
rm -rf "$ROOT/var/run"
mkdir -p "$ROOT"/{proc,sys,dev,tmp,run,share,root,etc,var/lib,mnt}
ln -s /run "$ROOT/var/run"
printf 'root:x:0:0:root:/root:/bin/sh\n' > "$ROOT/etc/passwd"
printf 'root:x:0:\n' > "$ROOT/etc/group"
printf '127.0.0.1 localhost\n' > "$ROOT/etc/hosts"
cat > "$ROOT/init" <<'INIT'
#!/bin/sh
# Process 1 of the guest: reads one shell line at a time from the console, runs it, says how it ended.
# The kernel command line names the folder of the host to see as /share: share=DIR
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys 2> /dev/null
[ -e /dev/null ] || mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mkdir -p /run/netns /run/lock
for word in $(cat /proc/cmdline); do case $word in share=*) mount -t hostfs -o "${word#share=}" none /share ;; esac; done
ip link set lo up
stty -echo -onlcr 2> /dev/null
cd /share
echo "@@READY"
while IFS= read -r line; do eval "$line" 2>&1; echo "@@ENDED $?"; done
poweroff -f
INIT
chmod 755 "$ROOT/init"
rm -rf "$DEST/apt"
echo "$STAMP" > "$DEST/stamp"
echo "kernel guest: Linux $VERSION, root file system $(du -sh "$ROOT" | cut -f1), in $DEST"
