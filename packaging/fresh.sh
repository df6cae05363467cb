#!/usr/bin/env bash
# ./dev fresh [root|user] [demo|test]: what someone with a bare Debian 12 and git sees, as root and as a plain user with
# sudo. A minimal tree is made by debootstrap; the last commit is cloned into it; it is entered by pivot_root in mount and
# pid namespaces of its own (in a chroot the kernel refuses user namespaces, so that tests would be skipped). The network
# is the host's. Of the host's settings these go along: where apt and npm fetch from, proxies, local CA certificates.
# HOLDFAST_FRESH is the folder to work in (3 GB, 6 for a moment); by default a new one in /var/tmp.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

die() { printf 'fresh: %s\n' "$*" >&2; exit 1; }
note() { printf '\n== fresh: %s\n' "$*"; }

roles=(root user) stages=(demo test)
for word; do
	case $word in
	root | user) roles=("$word") ;;
	demo | test) stages=("$word") ;;
	*) die "usage: ./dev fresh [root|user] [demo|test]" ;;
	esac
done
[ "$(id -u)" = 0 ] || die "making a Debian tree needs root; run it by sudo"
command -v debootstrap >/dev/null || {
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends debootstrap
}
[ -z "$(git status --porcelain)" ] || note "what is not committed does not take part"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast-fresh
work=$(mktemp -d "${HOLDFAST_FRESH:-/var/tmp}/holdfast-fresh.XXXXXX")
tree=$work/tree
mkdir -p "$cache/archives"

# The namespaces' mounts are not to be seen from here; if one is, nothing is removed.
finish() {
	local status=$?
	trap - EXIT
	if grep -qF " $work" /proc/self/mountinfo; then
		echo "fresh: something is still mounted below $work, which is left as it is" >&2
		exit 1
	fi
	rm -rf --one-file-system "$work"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Where the host's apt finds bookworm: "SITE RELEASE" for each of its archives.
archives() {
	apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' 'Component: main' 'Origin: Debian' |
		grep -E ' bookworm(-updates|-security)?$' | sort -u || true
}

make_base() {
	local site
	[ ! -f "$cache/bookworm.tar" ] || return 0
	note "a minimal Debian 12 with git"
	site=$(archives | sed -n 's/ bookworm$//p' | head -n 1)
	debootstrap --variant=minbase --include=git,ca-certificates bookworm "$work/base" ${site:+"$site"} >"$work/log" 2>&1 ||
		{ tail -n 20 "$work/log" >&2; die "debootstrap failed"; }
	tar --numeric-owner -C "$work/base" -cf "$cache/bookworm.tar.new" .
	mv "$cache/bookworm.tar.new" "$cache/bookworm.tar"
	rm -rf --one-file-system "$work/base"
}

# What the host knows about reaching others; never its passwords.
settings() {
	local sources
	sources=$(archives | sed 's/^/deb /; s/$/ main/')
	[ -z "$sources" ] || printf '%s\n' "$sources" >"$tree/etc/apt/sources.list"
	apt-config dump | grep -E '^Acquire::(https?::|Check-|Retries)' >"$tree/etc/apt/apt.conf.d/90host" || true
	cp -L /etc/resolv.conf /etc/hosts "$tree/etc/"
	echo 127.0.0.1 "$(uname -n)" >>"$tree/etc/hosts"
	find /usr/local/share/ca-certificates -name '*.crt' \
		-exec cp -L -t "$tree/usr/local/share/ca-certificates" {} + 2>/dev/null || true
	{
		env | grep -iE '^(https?_proxy|no_proxy|npm_config_registry)=' || true
		! command -v npm >/dev/null || echo "npm_config_registry=$(npm config get registry 2>/dev/null)"
	} >"$tree/environment"
}

# Within the namespaces: the tree becomes the root, with the kernel's file systems in their places.
enter() { # enter TREE ROLE STAGE
	local tree=$1 node
	mount --bind "$tree" "$tree"
	cd "$tree"
	mount --bind "$cache/archives" var/cache/apt/archives
	mount -t proc proc proc
	mount -t sysfs -o ro sysfs sys
	mount -t tmpfs -o mode=755 tmpfs dev
	mkdir dev/pts dev/shm
	for node in null zero full random urandom tty; do
		touch "dev/$node"
		mount --bind "/dev/$node" "dev/$node"
	done
	ln -s /proc/self/fd dev/fd
	ln -s pts/ptmx dev/ptmx
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
	mount -t tmpfs -o mode=1777 tmpfs dev/shm
	mkdir -p old
	pivot_root . old
	cd /
	umount -l old
	rmdir old
	exec /bin/bash -c "$(declare -f inside); inside $2 $3" </dev/null
}

# Within the tree, as its root: ./dev STAGE by the one whose turn it is. This shell stays as the first process: the kernel
# would keep SIGINT from a ./dev in its place.
inside() {
	set -euo pipefail
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive
	local words=()
	mapfile -t words </environment
	if [ ! -f /prepared ]; then
		update-ca-certificates >/dev/null 2>&1
		mv /holdfast /root/holdfast
		if [ "$1" = user ]; then
			apt-get update -q >/dev/null
			apt-get install -q -y --no-install-recommends sudo >/dev/null
			useradd -m -s /bin/bash somebody
			echo 'somebody ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/somebody
			mv /root/holdfast /home/somebody/holdfast
			chown -R somebody: /home/somebody/holdfast
		fi
		touch /prepared
	fi
	case $1 in
	root) env -i PATH="$PATH" HOME=/root "${words[@]}" /root/holdfast/dev "$2" ;;
	user) runuser -u somebody -- env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/home/somebody USER=somebody \
		"${words[@]}" /home/somebody/holdfast/dev "$2" ;;
	esac
}

bad=0 closing=()
# Runs one stage; the last line that it prints is what is told at the end.
stage() { # stage ROLE STAGE
	local status=0 last
	note "./dev $2 as $1"
	export cache
	export -f enter inside
	unshare --mount --pid --fork --kill-child --propagation private \
		bash -c 'set -euo pipefail; enter "$@"' fresh "$tree" "$1" "$2" 2>&1 | tee "$work/log" || status=$?
	last=$(grep -v '^$' "$work/log" | tail -n 1)
	case $2:$last in
	demo:*) ;;
	test:*\ passed,\ 0\ failed,\ 0\ skipped) ;;
	*) status=1 ;;
	esac
	[ $status = 0 ] || bad=1
	closing+=("$1, ./dev $2, exit status $status: $last")
}

make_base
for role in "${roles[@]}"; do
	mkdir "$tree"
	tar --numeric-owner -C "$tree" -xf "$cache/bookworm.tar"
	settings
	git clone -q --no-hardlinks . "$tree/holdfast"
	for s in "${stages[@]}"; do
		stage "$role" "$s"
	done
	rm -rf --one-file-system "$tree"
done
note "closing lines"
printf '%s\n' "${closing[@]}"
exit $bad
