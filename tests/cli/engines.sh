#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Where the filter of a capture runs makes no difference to what it captures: by each
# engine the packets of an interface are those that the same expression finds in a file of
# all of them, tags, snapshot length and what was there before the filter included.
. "${srcdir:-.}/tests/support/suite.sh"

if ! has_libpcap; then
	skip 'built without libpcap: bpfsift reads nothing and compiles nothing'
	finish
fi
# shellcheck source=tests/support/bpfsift.sh
. "$srcdir/tests/support/bpfsift.sh"

if ! command -v python3 >/dev/null 2>&1; then
	skip 'no python3: nothing captured'
	finish
fi
# shellcheck source=tests/support/veth.sh
. "$srcdir/tests/support/veth.sh"

# UDP in frames untagged, tagged, tagged twice, of priority alone and with a tag that the
# kernel leaves, of many lengths; and ARP.
cat >"$scratch/send.py" <<'END_OF_FILE'
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
macs = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
tags = [b'', b'\x81\x00\x00\x2a', b'\x88\xa8\x00\x07\x81\x00\x20\x2a', b'\x81\x00\xe0\x00',
        b'\x91\x00\x00\x2a', b'\x81\x00\x00\x2a\x81\x00\x00\x07']
for n in range(60):
    size = 30 + n * 11
    data = struct.pack('!HHHH', 40000 + n, 53 + n % 2, 8 + size, 0) + bytes([n]) * size
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(data), n, 0, 64, 17, 0,
                       bytes([192, 0, 2, 1]), bytes([255, 240, 0, 14 + n % 30]))
    s.send(macs + tags[n % 6] + b'\x08\x00' + head + data)
s.send(macs + b'\x08\x06' + bytes(46))
END_OF_FILE
N_FRAMES=61

n_of()
{
	$BPFSIFT --count -r "$1" 2>/dev/null | sed 's/ .*//'
}

# Of each NAME.pcap make a NAME.frames: of its packets the lengths, the beginning and a sum of
# the bytes, without their times, which each capture takes by itself.
cat >"$scratch/frames.py" <<'END_OF_FILE'
import struct, sys, zlib
for name in sys.argv[1:]:
    d = open(name, 'rb').read()
    at = 24
    with open(name.replace('.pcap', '.frames'), 'w') as out:
        while at + 16 <= len(d):
            caplen, length = struct.unpack('=II', d[at + 8:at + 16])
            data = d[at + 16:at + 16 + caplen]
            print(length, caplen, data[:24].hex(), zlib.crc32(data), file=out)
            at += 16 + caplen
END_OF_FILE
frames()
{
	python3 "$scratch/frames.py" "$scratch"/*.pcap
}

# says NAME WHAT: the number in a closing line.
says()
{
	sed -n "s/ packets* $2\$//p" "$scratch/$1.err"
}

# start NAME OPTION...: a capture, whose process is added to $pids.
pids=
start()
{
	name=$1
	shift
	rm -f "$scratch/$name.pcap"
	: >"$scratch/$name.err"
	# shellcheck disable=SC2086
	$BPFSIFT -w "$scratch/$name.pcap" "$@" 2>"$scratch/$name.err" &
	pids="$pids $!"
}

listens()
{
	check "$1 listens" wait_for grep -q 'listening on' "$scratch/$1.err"
}

send_frames()
{
	python3 "$scratch/send.py" sender
}

# And wait until they were handed out, which takes a second.
how_to_send=send_frames
send()
{
	$how_to_send
	sleep 2
}

stop_all()
{
	# shellcheck disable=SC2086
	{
		# Not INT, which a shell without job control has its children ignore.
		kill -TERM $pids
		wait $pids
		check_same 'all end well' 0 $?
	}
	pids=
}

# The file of all frames; and can the kernel be had?
start all -i receiver
start probe -i receiver arp
start none -i receiver --engine=interp
for name in all probe none; do
	listens $name
done
send
stop_all
check_same 'all frames' $N_FRAMES "$(n_of "$scratch/all.pcap")"
check 'without an expression there is no filter' \
	grep -q 'snapshot length 262144 bytes$' "$scratch/all.err"
engines='interp auto'
! has_jit || engines="$engines jit"
if grep -q ', filter in the kernel$' "$scratch/probe.err"; then
	engines="$engines kernel"
else
	skip "the kernel takes no filter: $(sed -n 's/.*, filter in user space//p' "$scratch/probe.err")"
fi

# ---- the same packets ----

cat >"$scratch/expressions" <<'END_OF_FILE'
udp
vlan
vlan 42
vlan and udp port 53
vlan 7 and vlan 42
not vlan
not udp
udp[8] >= 30 or vlan
len > 300
len = 86
ether[16] = 0x45 or ether[20:2] = 0
ether[14:2] = 0xe000
ether[15] = 0x2a and ether[12:2] = 0x8100
ether[ether[33]:1] = 0x45
ether[ip[16:4]:1] >= 0 or ether[ip[16:4]:1] < 0
udp[8] << udp[9] = 0 and udp
ip[8] >> (udp[8] + 3) = 0
END_OF_FILE

# where ENGINE NAME: what the opening line is to say.
where()
{
	case $1 in
	interp) place='in user space by the interpreter' ;;
	jit) place='in user space by machine code' ;;
	kernel) place='in the kernel' ;;
	auto) return ;;
	esac
	check "$2: filter $place" grep -q ", filter $place\$" "$scratch/$2.err"
}

# compare INTERFACE ALL OPTION...: by each engine, all captures at the same time, what each
# expression finds in the file of all.
compare()
{
	interface=$1 all=$2
	shift 2
	for engine in $engines; do
		n=0
		while IFS= read -r expression; do
			start "$engine.$n" -i "$interface" --engine="$engine" "$@" "$expression"
			n=$((n + 1))
		done <"$scratch/expressions"
	done
	for engine in $engines; do
		for i in $(seq 0 $((n - 1))); do
			listens "$engine.$i"
		done
	done
	send
	stop_all
	n=0
	while IFS= read -r expression; do
		# shellcheck disable=SC2086
		$BPFSIFT -r "$all" -w "$scratch/want.$n.pcap" "$@" "$expression" 2>/dev/null
		n=$((n + 1))
	done <"$scratch/expressions"
	frames
	n=0
	while IFS= read -r expression; do
		want=$scratch/want.$n.frames
		for engine in $engines; do
			what="$interface, $engine $* '$expression'"
			check_same "$what: as from a file" "$(cat "$want")" \
				"$(cat "$scratch/$engine.$n.frames")"
			where "$engine" "$engine.$n"
			check_same "$what: says how many" "$(wc -l <"$want" | tr -d ' ')" \
				"$(says "$engine.$n" captured)"
			check_same "$what: none dropped" 0 "$(says "$engine.$n" 'dropped by kernel')"
			case $engine in
			kernel) seen=$(says "$engine.$n" captured) ;;
			auto) continue ;;
			*) seen=$N_FRAMES ;;
			esac
			check_same "$what: received" "$seen" \
				"$(says "$engine.$n" 'received by filter')"
		done
		n=$((n + 1))
	done <"$scratch/expressions"
}

compare receiver "$scratch/all.pcap"
# On their way out frames have their tags in them.
compare sender "$scratch/all.pcap" -Q out
# Judged whole, then cut, by one and all.
cat >"$scratch/expressions" <<'END_OF_FILE'
udp[100:1] >= 20 or (vlan and ether[200:1] >= 20)
len > 300
END_OF_FILE
compare receiver "$scratch/all.pcap" -s 60
check_same 'cut' 60 "$(cut -d ' ' -f 2 "$scratch/auto.0.frames" | sort -u)"

# ---- where the kernel does not do it ----

# conditions N: so many of them that no frame meets.
conditions()
{
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++)
		printf "ether[%d:4] = %d or ", i % 40, i + 7000000 }'
}

# falls_back REASON INTERFACE EXPRESSION: into user space, said so, and filtered.
falls_back()
{
	reason=$1 interface=$2
	shift 2
	for engine in auto kernel; do
		start "fall.$engine" -i "$interface" --engine=$engine "$@"
	done
	for engine in auto kernel; do
		listens "fall.$engine"
		# the line comes in pieces
		check "$reason: said" wait_for grep -Eq ", filter in user space by .* \\(.*$reason.*\\)\$" \
			"$scratch/fall.$engine.err"
	done
	send
	stop_all
	check_same "$reason: packets" 1 "$(n_of "$scratch/fall.auto.pcap")"
	check_same "$reason: by kernel" 1 "$(n_of "$scratch/fall.kernel.pcap")"
}

case $engines in
*kernel*)
	falls_back 'limit is 4096' receiver "$(conditions 1200) arp"
	falls_back 'jumps backward' receiver 'ip6 protochain 6 or arp'
	falls_back 'no such frames' any 'arp and link[10] = 4'
	# Of what root may, capturing alone.
	if ! command -v setpriv >/dev/null 2>&1 ||
		grep -qx 0 /proc/sys/kernel/unprivileged_bpf_disabled 2>/dev/null; then
		skip 'anybody may load a filter here, or there is no setpriv'
	else
		all_rights=$BPFSIFT
		BPFSIFT="setpriv --bounding-set=-all,+net_raw,+net_admin --inh-caps=-all \
			$BPFSIFT -Z root"
		falls_back 'Operation not permitted' receiver arp
		BPFSIFT=$all_rights
	fi
	;;
esac

# The 'any' device has headers of libpcap's own; it, its file and its filters agree.
cat >"$scratch/expressions" <<'END_OF_FILE'
arp
udp port 53
link[10] = 4 and len > 300
END_OF_FILE
start any -i any
listens any
send
stop_all
N_FRAMES=$((2 * N_FRAMES))
check_same 'any: frames of both' $N_FRAMES "$(n_of "$scratch/any.pcap")"
engines=$(echo "$engines" | sed 's/ auto//')
all_engines=$engines
engines=$(echo "$engines" | sed 's/ kernel//')
compare any "$scratch/any.pcap"
engines=$all_engines

# ---- packets without frames ----

# A device of IP alone, which this script is the other end of: a line has it send eight
# packets each way.
cat >"$scratch/tun.py" <<'END_OF_FILE'
import fcntl, os, socket, struct, subprocess, sys
tun = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH', b'tunnel', 0x1001))    # TUNSETIFF: no header
open('/proc/sys/net/ipv6/conf/tunnel/disable_ipv6', 'w').write('1')
subprocess.check_call('ip addr add 198.51.100.1/24 dev tunnel && ip link set tunnel up', shell=True)
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
print('up', flush=True)
for line in sys.stdin:
    for n in range(8):
        size = 20 + n * 50
        data = struct.pack('!HHHH', 40000 + n, 53 + n % 2, 8 + size, 0) + bytes([n]) * size
        if n == 7:
            os.write(tun, struct.pack('!IHBB16s16s', 0x60000000, len(data), 17, 64,
                                      b'\xfe' + bytes(15), b'\xfd' + bytes(15)) + data)
        else:
            os.write(tun, struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(data), n, 0, 64, 17, 0,
                                      bytes([192, 0, 2, 1]), bytes([255, 240, 0, n])) + data)
        out.sendto(struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(data), n + 1, 0, 64, 17, 0,
                               bytes([198, 51, 100, 1]), bytes([198, 51, 100, 2])) + data,
                   ('198.51.100.2', 0))
    print('sent', flush=True)
END_OF_FILE
mkfifo "$scratch/tun.in"
python3 "$scratch/tun.py" <"$scratch/tun.in" >"$scratch/tun.out" 2>"$scratch/tun.err" &
tun=$!
exec 3>"$scratch/tun.in"
send_packets()
{
	n_sent=$(wc -l <"$scratch/tun.out")
	echo go >&3
	wait_for sh -c "[ \$(wc -l <'$scratch/tun.out') -gt $n_sent ]"
}
has_come_up()
{
	[ -s "$scratch/tun.out" ] || ! kill -0 "$tun" 2>/dev/null
}
wait_for has_come_up
if grep -q up "$scratch/tun.out"; then
	how_to_send=send_packets
	start tun -i tunnel
	listens tun
	send
	stop_all
	check 'a device of IP alone' grep -q 'link-type RAW' "$scratch/tun.err"
	N_FRAMES=16
	check_same 'packets of both ways' $N_FRAMES "$(n_of "$scratch/tun.pcap")"
	cat >"$scratch/expressions" <<-'END_OF_FILE'
		udp port 53
		ip6
		not ip6
		len > 200
		ip[8] = 64 and udp[20] = 3
		udp[ip[16:4]:1] >= 0 or udp[ip[16:4]:1] < 0
	END_OF_FILE
	compare tunnel "$scratch/tun.pcap"
else
	skip "no device of IP alone: $(tail -n 1 "$scratch/tun.err")"
fi
exec 3>&-
wait $tun 2>/dev/null

# ---- what was there before the filter ----

# Frames at full speed, to one end and from it, each with its number; one of three matches.
cat >"$scratch/flood.py" <<'END_OF_FILE'
import socket, struct, sys, time
ends = []
for name in 'sender', 'receiver':
    ends.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    ends[-1].bind((name, 0))
macs = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
n = 0
while n >= 0:
    for n in range(n + 1, n + 100):
        kind = b'\x08\x06' if n % 3 == 0 else b'\x88\xb5'
        ends[0].send(macs + kind + struct.pack('!I', n) + bytes(60) + bytes([7]))
        ends[1].send(macs + kind + bytes(64) + bytes([7]))
END_OF_FILE
# What was captured: how many, how many of them wrong, how many missing between them.
cat >"$scratch/judge.py" <<'END_OF_FILE'
import struct, sys
d = open(sys.argv[1], 'rb').read()
at, numbers, wrong = 24, [], 0
while at + 16 <= len(d):
    caplen = struct.unpack('=I', d[at + 8:at + 12])[0]
    frame = d[at + 16:at + 16 + caplen]
    number = struct.unpack('!I', frame[14:18])[0]
    wrong += frame[12:14] != b'\x08\x06' or number == 0
    numbers.append(number)
    at += 16 + caplen
missing = sum(b - a != 3 for a, b in zip(numbers, numbers[1:]))
print('some' if len(numbers) > 300 else len(numbers), wrong, missing)
END_OF_FILE
python3 "$scratch/flood.py" &
flood=$!
# Several thousand packets, as many as come in a second or less.
is_flooded()
{
	[ "$(wc -c <"$scratch/flood.pcap")" -gt 200000 ]
}
for options in '' '-s 40'; do
	# shellcheck disable=SC2086
	start flood -i receiver -Q in -B 32768 $options 'arp[64] = 7'
	listens flood
	check "$options: packets come" wait_for is_flooded
	stop_all
	what="under load $options"
	result=$(python3 "$scratch/judge.py" "$scratch/flood.pcap")
	if [ "$(says flood 'dropped by kernel')" = 0 ]; then
		check_same "$what: some, none wrong, none missing" 'some 0 0' "$result"
	else
		skip "$what: the kernel dropped packets"
		check_same "$what: some, none wrong" 'some 0' "${result% *}"
	fi
done
kill $flood
wait $flood 2>/dev/null
finish
