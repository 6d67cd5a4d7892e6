# SPDX-License-Identifier: BSD-2-Clause
# For the scripts that hold bpfsift against tcpdump, after suite.sh: ends them
# where either is missing.
#
#   peer            tcpdump, to be started with this
#   precision FILE  the option by which tcpdump keeps its nanoseconds

if ! has_libpcap; then
	skip 'built without libpcap: bpfsift reads no savefile'
	finish
fi
if ! command -v tcpdump >/dev/null 2>&1; then
	skip 'tcpdump is missing: nothing to compare with'
	finish
fi
# shellcheck source=tests/support/bpfsift.sh
. "$srcdir/tests/support/bpfsift.sh"
# shellcheck disable=SC2086
check 'there is a bpfsift' $BPFSIFT --version
[ "$suite_failures" -eq 0 ] || finish

# Started by root, tcpdump would become a user who cannot write to $scratch.
peer=tcpdump
[ "$(id -u)" -ne 0 ] || peer='tcpdump -Z root'

precision()
{
	case $1 in
	*-ns*) echo --time-stamp-precision=nano ;;
	esac
}
