# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2154
# For the scripts that capture, after suite.sh: they go on in a network namespace of their
# own, with two interfaces, sender and receiver, and a wire between them on which no other
# packet is seen; or end where that cannot be.

for needed in ip unshare; do
	if ! command -v "$needed" >/dev/null 2>&1; then
		skip "no $needed: nothing captured"
		finish
	fi
done
if [ -z "${BPFSIFT_TEST_ALONE-}" ]; then
	if ! unshare -n true 2>/dev/null; then
		skip 'not allowed to make a network namespace: nothing captured'
		finish
	fi
	rm -rf "$scratch"
	export BPFSIFT_TEST_ALONE=yes srcdir builddir
	exec unshare -n sh "$0"
fi

ip link add sender type veth peer name receiver || exit 99
for interface in sender receiver; do
	# No packets of its own.
	echo 1 >"/proc/sys/net/ipv6/conf/$interface/disable_ipv6" 2>/dev/null
	ip link set "$interface" up || exit 99
done
