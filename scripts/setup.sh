# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2154
# What scripts/demo and scripts/test share: install what is missing, configure,
# build.  Sourced, with $me the name that messages begin with.
#
# A tool or library is asked for by what it does, not by its package: what is
# there already, from wherever, is never installed or upgraded.

set -eu
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)

say()
{
	printf '%s: %s\n' "$me" "$*"
}

die()
{
	printf '%s: %s\n' "$me" "$*" >&2
	exit 1
}

have()
{
	command -v "$1" >/dev/null 2>&1
}

have_lib()
{
	have pkg-config && pkg-config --exists "$1"
}

have_cc()
{
	# shellcheck disable=SC2086
	echo '#include <stdio.h>' | ${CC:-cc} -E - >/dev/null 2>&1
}

have_header()
{
	# shellcheck disable=SC2086
	printf '#include <%s>\n' "$1" | ${CC:-cc} -E - >/dev/null 2>&1
}

missing=
missing_packages=

# need WHAT PACKAGES COMMAND...: where the command fails, WHAT is missing.
need()
{
	what=$1 packages=$2
	shift 2
	if ! "$@"; then
		missing="$missing, $what"
		missing_packages="$missing_packages $packages"
	fi
}

# What every build needs, on whatever machine and for whatever machine.  A
# release has its configure script.
need_tools()
{
	need make make have make
	need pkg-config pkg-config have pkg-config
	need uthash uthash-dev have_header uthash.h
	if configure_is_stale; then
		need autoconf autoconf have autoreconf
		need automake automake have automake
		need libtool libtool have libtoolize
	fi
}

# What a build for this machine needs.
need_build()
{
	need_tools
	need 'C compiler' 'gcc libc6-dev' have_cc
	need libpcap libpcap-dev have_lib libpcap
	need libmd libmd-dev have_lib libmd
	need libelf libelf-dev have_lib libelf
	need libseccomp libseccomp-dev have_lib libseccomp
	need zlib zlib1g-dev have_lib zlib
	need libzstd libzstd-dev have_lib libzstd
	need liblz4 liblz4-dev have_lib liblz4
	need liblzma liblzma-dev have_lib liblzma
	# ISA-L is not for each machine, and zlib does without it.
	case $(uname -m) in
	x86_64 | aarch64) need ISA-L libisal-dev have_lib libisal ;;
	esac
}

# Install what need() found missing, or say what it is.
install_missing()
{
	[ -n "$missing" ] || return 0
	missing=${missing#, }
	missing_packages=${missing_packages# }
	have apt-get || die "missing: $missing (Debian's packages: $missing_packages)"
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		have sudo || die "missing: $missing; as root: apt-get install $missing_packages"
		as_root=sudo
	fi
	say "installing $missing_packages"
	mkdir -p "$top/build"
	# Where the update fails, the lists of yesterday may still do.
	$as_root apt-get update >"$top/build/apt-update.log" 2>&1 </dev/null || :
	# shellcheck disable=SC2086
	run_logged "$top/build/apt-install.log" $as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends --no-upgrade $missing_packages
}

# run_logged LOG COMMAND...: quietly; if it fails, the end of its log and out.
run_logged()
{
	log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null && return 0
	tail -n 30 "$log" >&2
	die "failed: $* (all of its output: $log)"
}

configure_is_stale()
{
	[ -f "$top/configure" ] && [ -f "$top/Makefile.in" ] &&
		[ -f "$top/build-aux/ltmain.sh" ] || return 0
	[ -n "$(find "$top/configure.ac" "$top/Makefile.am" "$top/m4" "$top"/*/build.am \
		"$top"/tests/*/build.am -newer "$top/configure" ! -name 'l*.m4')" ]
}

# configure_in DIR [OPTION...]: make DIR ready for make, if it is not.
configure_in()
{
	build=$1
	shift
	mkdir -p "$build"
	if configure_is_stale; then
		say 'making the configure script'
		(cd "$top" && run_logged "$build/autoreconf.log" autoreconf -fi)
	fi
	# A build directory that came along when the checkout moved is of no use.
	if [ -f "$build/Makefile" ] &&
		! grep -q -x -F "abs_top_srcdir = $top" "$build/Makefile"; then
		rm -rf "$build"
		mkdir -p "$build"
	fi
	if [ ! -f "$build/Makefile" ] ||
		[ -n "$(find "$top/configure" -newer "$build/config.status")" ]; then
		say "configuring in $build"
		(cd "$build" && run_logged "$build/configure.log" "$top/configure" "$@")
	fi
}

# make_in DIR TARGET...
make_in()
{
	build=$1
	shift
	run_logged "$build/make.log" make -C "$build" -j "$(nproc)" "$@"
}
