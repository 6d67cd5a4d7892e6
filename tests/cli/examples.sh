#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The ten first examples of tcpdump's manual page, with bpfsift in its place: the same program,
# and the same packets from a file and from an interface.  The hosts, the
# networks and the gateway that they name are made known to a namespace of ours alone.
. "${srcdir:-.}/tests/support/suite.sh"
srcdir=$(cd "$srcdir" && pwd)
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

for needed in python3 ip unshare mount; do
	if ! command -v "$needed" >/dev/null 2>&1; then
		skip "no $needed: the examples were not tried"
		finish
	fi
done
if [ -z "${BPFSIFT_TEST_ALONE-}" ]; then
	if [ "$(id -u)" -ne 0 ] || ! unshare -nm true 2>/dev/null; then
		skip 'not allowed to make namespaces: the examples were not tried'
		finish
	fi
	rm -rf "$scratch"
	export BPFSIFT_TEST_ALONE=yes BPFSIFT srcdir builddir
	exec unshare -nm sh "$0"
fi
BPFSIFT="$BPFSIFT -Z root"
cd "$scratch" || exit 99
cat >hosts <<'END'
127.0.0.1	localhost
192.0.2.1	sundown
192.0.2.2	helios
192.0.2.3	hot
192.0.2.4	ace
192.0.2.9	snup
END
printf 'ucb-ether 198.51.100.0\nlocalnet 192.0.2.0\n' >networks
printf '02:00:00:00:00:04 snup\n' >ethers
printf 'hosts: files\nnetworks: files\nethers: files\nservices: files\nprotocols: files\n' >nsswitch.conf
# ethers(5) is read by name, from a file that need not be there.
mkdir etc
cp -a /etc/. etc/ 2>/dev/null
cp hosts networks ethers nsswitch.conf etc/
if ! mount --bind etc /etc 2>/dev/null || [ "$(getent ethers snup | wc -l)" -ne 1 ]; then
	skip 'no names of our own in /etc: the examples were not tried'
	finish
fi
ip link add sender type veth peer name receiver || exit 99
for interface in sender receiver; do
	echo 1 >"/proc/sys/net/ipv6/conf/$interface/disable_ipv6" 2>/dev/null
	ip link set "$interface" up || exit 99
done

# Packets between all of them, and what the examples look for; to a file, or over the wire.
cat >packets.py <<'END'
import socket, struct, sys

ADDRESS = {'sundown': '192.0.2.1', 'helios': '192.0.2.2', 'hot': '192.0.2.3', 'ace': '192.0.2.4',
           'snup': '192.0.2.9', 'far': '203.0.113.5',
           # libpcap takes what networks(5) gives for one address.
           'berkeley': '198.51.100.0', 'local': '192.0.2.0'}
MAC = {name: bytes([2, 0, 0, 0, 0, n]) for n, name in enumerate(ADDRESS)}

def ip(src, dst, proto, data, via=None):
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(data), 1, 0, 64, proto, 0,
                       socket.inet_aton(ADDRESS[src]), socket.inet_aton(ADDRESS[dst]))
    return MAC[via or dst] + MAC[src] + b'\x08\x00' + head + data

def tcp(src, dst, sport, dport, flags, data=b'', via=None):
    return ip(src, dst, 6, struct.pack('!HHIIBBHHH', sport, dport, 1, 2, 0x50, flags, 8192, 0, 0)
              + data, via)

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
frames = [ip(a, b, 17, struct.pack('!HHHH', 9, 9, 12, 0) + b'abcd')
          for a in ADDRESS for b in ADDRESS if a != b]
frames += [tcp('ace', 'far', 40000, 21, SYN, via='snup'),
           tcp('ace', 'far', 40001, 20, ACK, b'x' * 700, 'snup'),
           tcp('far', 'hot', 80, 40002, SYN | ACK), tcp('hot', 'far', 40002, 80, PSH | ACK, b'GET /'),
           tcp('hot', 'far', 40002, 80, ACK), tcp('hot', 'far', 40002, 80, FIN | ACK),
           tcp('far', 'hot', 80, 40003, RST | ACK), tcp('hot', 'ace', 40004, 22, SYN),
           tcp('hot', 'ace', 40004, 22, RST), tcp('ace', 'hot', 22, 40004, RST | ACK)]
frames = [frame.ljust(60, b'\0') for frame in frames]
if sys.argv[1] == 'send':
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind(('sender', 0))
    for frame in frames:
        s.send(frame)
else:
    with open(sys.argv[1], 'wb') as out:
        out.write(struct.pack('=IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for n, frame in enumerate(frames):
            out.write(struct.pack('=IIII', 1700000000 + n, 0, len(frame), len(frame)) + frame)
END
python3 packets.py frames.pcap

# has_begun NAME PID: it listens, or is over.
has_begun()
{
	grep -q 'listening on' "$1.err" 2>/dev/null || ! kill -0 "$2" 2>/dev/null
}

# example N WORD...: the words behind the program's name; N packets match.
example()
{
	n=$1
	shift
	# shellcheck disable=SC2086
	{
		check_same "$*: the program" "$($peer -d "$@" 2>&1)" "$($BPFSIFT -d "$@" 2>&1)"
		$peer -t -r frames.pcap "$@" >want 2>want.err
		$BPFSIFT -t -r frames.pcap "$@" >have 2>have.err
		check_same "$*: exit status" 0 $?
		check "$*: lines" cmp want have
		check_same "$*: as many as there are" "$n" "$(wc -l <have | tr -d ' ')"
		rm -f want.err have.err
		timeout 20 $peer -t -i receiver -c "$n" "$@" >want 2>want.err &
		want=$!
		timeout 20 $BPFSIFT -t -i receiver -c "$n" "$@" >have 2>have.err &
		have=$!
	}
	wait_for eval 'has_begun want $want && has_begun have $have'
	python3 packets.py send
	wait $want
	wait $have
	check_same "$*: from an interface: exit status" 0 $?
	check "$*: from an interface" cmp want have
	check_same "$*: from an interface: packets" "$n packet$([ "$n" -eq 1 ] || echo s) captured" \
		"$(grep captured have.err)"
}

# alike WORD...: refused, or not, in the same words.
alike()
{
	# shellcheck disable=SC2086
	check_same "$*: as tcpdump" "$(outcome $peer -t -r frames.pcap "$@")" \
		"$(outcome $BPFSIFT -t -r frames.pcap "$@")"
}

example 14 host sundown
example 4 host helios and \( hot or ace \)
example 17 ip host ace and not helios
example 14 net ucb-ether
# A libpcap that knows IPv6, as most do, has no 'gateway'.
alike 'gateway snup and (port ftp or ftp-data)'
example 52 ip and not net localnet
example 4 'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net localnet'
example 2 'tcp[tcpflags] & (tcp-rst|tcp-ack) == (tcp-rst|tcp-ack)'
example 1 'tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)'
alike 'gateway snup and ip[2:2] > 576'
finish
