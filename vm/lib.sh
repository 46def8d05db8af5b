# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the variables are for the scripts that source this
# Shared by the scripts of vm/; sourced, not run.

export LC_ALL=C
# A user's PATH may lack mke2fs.
PATH=$PATH:/usr/sbin:/sbin
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set: set it, or XDG_CACHE_HOME, to say where the cache is}/.cache}/phyr
me=vm/${0##*/}

say() { printf '%s: %s\n' "$me" "$*" >&2; }
die() { say "$*"; exit 1; }

# step WHAT COMMAND…: run COMMAND quietly; print that it runs, and how long it took.
step() {
	local what=$1 start=$SECONDS log ticker worker status=0
	shift
	mkdir -p "$cache/log"
	log=$cache/log/$(date +%Y%m%d-%H%M%S)-$$-${1##*/}.log
	say "$what …"
	# A read that times out, because a sleep would outlive its killed shell.
	(exec {silent}<> <(:); while ! read -rt 15 -u "$silent"; do say "$what … $((SECONDS - start)) s"; done) &
	ticker=$!
	# In the background "set -e" holds; on the left of || it would not. A process group of its
	# own: an interrupt ends all of it.
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	worker=$!
	set +m
	trap 'kill -- -"$worker" "$ticker" 2>/dev/null; exit 130' INT TERM HUP
	wait "$worker" || status=$?
	trap - INT TERM HUP
	# It may have ended already; its exit status does not matter.
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	if ((status)); then
		tail -n 30 "$log" >&2
		say "$what: failed with status $status after $((SECONDS - start)) s; the whole log is $log"
		return "$status"
	fi
	say "$what: done in $((SECONDS - start)) s"
}

# lock NAME: hold the cache's lock NAME until the script ends.
lock() {
	mkdir -p "$cache"
	exec {lock_fd}>"$cache/$1.lock"
	if ! flock -n "$lock_fd"; then
		say "another process is making $1; waiting for it"
		flock "$lock_fd"
	fi
}

# fresh_dir PREFIX: print a new empty directory in the cache, to be renamed when complete. The
# caller holds the lock; leftovers of killed runs are removed.
fresh_dir() {
	rm -rf "$cache/tmp.$1".*
	mktemp -d "$cache/tmp.$1.XXXXXX"
}

hash_of() { sha256sum | cut -c1-12; }

# get NAME OUTPUT: print the value of the line NAME=VALUE in OUTPUT.
get() { sed -n "s/^$1=//p" <<<"$2"; }

# use_kernel NAME: make what is missing, and set root (the build environment), tree (what is
# mounted there as /src to build modules; empty for stock), kdir (the kernel's build tree in the
# build environment), kernel (vmlinuz, initrd, …), disk and release.
use_kernel() {
	local made tried
	made=$("$top/vm/image")
	root=$(get root "$made")
	kernel=$(get image "$made")
	disk=$kernel/disk.img
	tree=
	case $1 in
	stock) ;;
	7.3 | debug)
		made=$("$top/vm/kernel" "$1")
		tree=$(get tree "$made")
		kernel=$(get kernel "$made")
		;;
	*) die "unknown kernel '$1': use stock, 7.3 or debug" ;;
	esac
	release=$(cat "$kernel/release")
	case $1 in
	stock) kdir=/usr/lib/modules/$release/build ;;
	7.3) kdir=/src/linux-headers-$release ;;
	debug) kdir=/src ;;
	esac
	tried=$(sed -n "s/^$1[[:space:]]\+//p" "$top/vm/tried")
	[[ " $tried " == *" ${release%%[+-]*} "* ]] ||
		say "kernel ${release%%[+-]*} ($1): this tree was tried with ${tried// /, }; if something fails, look there first"
}
