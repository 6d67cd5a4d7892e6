#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# cbpf2ebpf and the running kernel: programs loaded, pinned, attached to a pair of
# virtual interfaces in a network namespace of their own, and taken off again.
. "${srcdir:-.}/tests/support/suite.sh"

tool=$builddir/tools/cbpf2ebpf
if ! grep -q '^#define HAVE_LIBBPF 1$' "$builddir/config.h"; then
	echo 'ret #1' | "$tool" --from=bpf_asm --target=tc --load >"$scratch/out" 2>"$scratch/err"
	check_same 'without libbpf: status' 1 $?
	check_same 'without libbpf: message' \
		'cbpf2ebpf: built without libbpf: --load, --pin, --attach and --detach need it' \
		"$(cat "$scratch/err")"
	skip 'built without libbpf: nothing loaded'
	finish
fi
for needed in python3 ip unshare mount; do
	if ! command -v "$needed" >/dev/null 2>&1; then
		skip "no $needed: nothing loaded"
		finish
	fi
done
if [ -z "${BPFSIFT_TEST_ALONE-}" ]; then
	if ! unshare -n -m true 2>/dev/null; then
		skip 'not allowed to make a network namespace: nothing loaded'
		finish
	fi
	rm -rf "$scratch"
	export BPFSIFT_TEST_ALONE=yes srcdir builddir
	exec unshare -n -m sh "$0"
fi
cd "$scratch" || exit 99
if ! echo 'ret #1' | "$tool" --from=bpf_asm --target=xdp --load >out 2>err; then
	skip "nothing can be loaded: $(cat err)"
	finish
fi

# refuses MESSAGE ARGUMENT...: exit status 1, that line alone, nothing on standard output.
refuses()
{
	message="cbpf2ebpf: $1"
	shift
	"$tool" "$@" <in >stdout 2>stderr
	check_same "status of cbpf2ebpf $*" 1 $?
	check_same "message of cbpf2ebpf $*" "$message" "$(cat stderr)"
	check_empty "output of cbpf2ebpf $*" "$(cat stdout)"
}

# ---- the verifier ----

# IPv4, TCP, to or from port 80, with options in the IP header or without.
cat >web.bpf_asm <<'END'
	ldh [12]
	jne #0x800, drop
	ldb [23]
	jne #6, drop
	ldh [20]
	jset #0x1fff, drop
	ldxb 4*([14]&0xf)
	ldh [x + 14]
	jeq #80, keep
	ldh [x + 16]
	jne #80, drop
keep:	ret #-1
drop:	ret #0
END
for target in socket tc xdp; do
	for level in 0 1 2; do
		for cpu in v1 v2 v3; do
			"$tool" --from=bpf_asm -f web.bpf_asm --target=$target -O $level \
				--cpu=$cpu --load >out 2>err
			check_same "$target, level $level, $cpu: taken" 'the kernel accepts it' \
				"$(sed -n '1s/:.*//p' out)$(cat err)"
		done
	done
done
"$tool" --from=bpf_asm -f web.bpf_asm --target=socket --load >out
check_same 'a socket takes it' 'a socket takes it' "$(tail -n 1 out)"
"$tool" --from=bpf_asm -f web.bpf_asm --target=tc --load --to=asm -o program >out
check_same 'loaded and written' 1 "$(grep -c '^the kernel accepts it' out)"
"$tool" --from=bpf_asm -f web.bpf_asm --target=tc >want
check 'what is written is what was loaded' cmp program want
"$tool" --from=bpf_asm -f web.bpf_asm --target=tc --load --log >out 2>log
check 'the log is by classic instruction' grep -q '^; (000) ldh ' log
check 'and has the walk' grep -q '^0: (bf) r6 = r1' log

# A program too long for a socket's memory for options.
python3 - >long.bpf_asm <<'END'
for n in range(4000):
    print('ld [%d]' % (n % 60))
print('ret a')
END
"$tool" --from=bpf_asm -f long.bpf_asm --target=socket -O 0 --load >out 2>err
check_same 'too large for a socket' \
	"no socket takes it: it is larger than net.core.optmem_max, $(cat \
		/proc/sys/net/core/optmem_max) bytes" "$(tail -n 1 out)"

# A loop that ends by a budget, which no verifier follows.
printf '%s\n' 4 '0 0 0 1' '21 1 0 3' '5 0 0 4294967293' '6 0 0 1' >loop.ddd
"$tool" --from=ddd --dialect=pcap -f loop.ddd --target=tc --load >out 2>err
check_same 'a loop is refused' 1 $?
check_same 'in one line' 1 "$(wc -l <err)"
check 'that says by whom' grep -q '^cbpf2ebpf: loop.ddd: the kernel' err

# ---- pinned ----

: >in
mkdir fs
if mount -t bpf bpf fs 2>/dev/null; then
	"$tool" --from=bpf_asm -f web.bpf_asm --target=tc --pin=fs/web >out
	check 'pinned' test -f fs/web
	check_same 'and said so' 'pinned to fs/web' "$(tail -n 1 out)"
	"$tool" --from=bpf_asm -f web.bpf_asm --target=tc --pin=fs/web >out 2>err
	check_same 'what is there stays' 'cbpf2ebpf: fs/web: File exists' "$(cat err)"
	umount fs
else
	skip 'no BPF file system can be mounted: nothing is pinned'
fi
"$tool" --from=bpf_asm -f web.bpf_asm --target=tc --pin=nowhere/web >out 2>err
check_same 'no place to pin it' 'cbpf2ebpf: nowhere/web: No such file or directory' "$(cat err)"

# ---- attached ----

ip link add sender type veth peer name receiver || exit 99
for interface in sender receiver; do
	echo 1 >"/proc/sys/net/ipv6/conf/$interface/disable_ipv6" 2>/dev/null
	ip link set "$interface" up || exit 99
done

# frames.py LENGTH VALUE...: sends frames of TCP to port 80 and to 81 in turn, the second
# last byte of each a VALUE, and prints which arrived.  Those over a page are in pieces.
cat >frames.py <<'END'
import socket, struct, sys

length, values = int(sys.argv[1]), [int(v) for v in sys.argv[2:]]
hear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
hear.bind(('receiver', 3))
hear.settimeout(0.5)
send = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
send.setsockopt(263, 15, 1)     # PACKET_VNET_HDR: says how much is in the first piece
send.bind(('sender', 0))
macs = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
for n, value in enumerate(values):
    data = struct.pack('!HHIIBBHHH', 4000 + n, 80 + n % 2, 0, 0, 0x50, 2, 0, 0, 0)
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, length - 14, n, 0, 64, 6, 0,
                       bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
    frame = (macs + b'\x08\x00' + head + data).ljust(length - 2, b'\0') + bytes([value, 0])
    try:
        send.send(struct.pack('<BBHHHH', 0, 0, 64, 0, 0, 0) + frame)
    except OSError:
        pass                    # dropped on its way out
seen = []
try:
    while True:
        frame = hear.recv(65536)
        if frame[:12] == macs:
            seen.append('%d:%d' % (struct.unpack('!H', frame[36:38])[0], frame[-2]))
except socket.timeout:
    pass
print(' '.join(seen))
END

check_same 'all arrive' '80:1 81:2 80:3 81:4' "$(python3 frames.py 100 1 2 3 4)"
refuses 'receiver: nothing is attached' --target=xdp --detach=receiver
refuses 'receiver: nothing is attached' --target=tc --detach=receiver
refuses 'nowhere: No such device' --target=xdp --detach=nowhere

# attach TARGET PLACE OPTION...: the filter of web.bpf_asm.
attach()
{
	target=$1 place=$2
	shift 2
	"$tool" --from=bpf_asm -f web.bpf_asm --target="$target" --attach="$place" "$@" >out 2>err
	check_same "attached to $place, $*" "attached to $place" "$(tail -n 1 out)$(cat err)"
}
attach xdp receiver --match=drop --miss=pass
check_same 'xdp drops what matches' '81:2 81:4' "$(python3 frames.py 100 1 2 3 4)"
attach xdp receiver --match=pass --miss=drop -O 0
check_same 'another takes its place' '80:1 80:3' "$(python3 frames.py 100 1 2 3 4)"
"$tool" --target=xdp --detach=receiver
check_same 'and is taken off' '80:1 81:2 80:3 81:4' "$(python3 frames.py 100 1 2 3 4)"
attach tc sender/egress --match=ok --miss=shot
check_same 'tc keeps what matches' '80:1 80:3' "$(python3 frames.py 100 1 2 3 4)"
attach tc sender/egress --match=shot --miss=ok
check_same 'and drops it in place of that' '81:2 81:4' "$(python3 frames.py 100 1 2 3 4)"
"$tool" --target=tc --detach=sender/egress
check_same 'tc: taken off' '80:1 81:2 80:3 81:4' "$(python3 frames.py 100 1 2 3 4)"
attach tc receiver --match=ok --miss=ok
"$tool" --target=tc --detach=receiver/ingress
check_same 'ingress is where it goes by itself' 0 $?

# Not ours, not touched: the same object under the name that it has itself.
if "$tool" --from=bpf_asm -f web.bpf_asm --target=xdp --to=elf -o web.o 2>err &&
	ip link set dev receiver xdp obj web.o sec xdp 2>err; then
	check_same 'ip takes the object' '80:1 80:3' "$(python3 frames.py 100 1 2 3 4)"
	"$tool" --target=xdp --detach=receiver 2>err
	check_same 'another program stays: status' 1 $?
	check 'another program stays: message' grep -q 'which is not of cbpf2ebpf$' err
	"$tool" --from=bpf_asm -f web.bpf_asm --target=xdp --match=drop --miss=pass \
		--attach=receiver >out 2>err
	check_same 'nor is it replaced' 1 $?
	check_same 'it still runs' '80:1 80:3' "$(python3 frames.py 100 1 2 3 4)"
	ip link set dev receiver xdp off
else
	skip "ip takes no object: $(cat err)"
fi
# What is counted: packets and bytes, over all processors.
cat >counters.py <<'END'
import ctypes, os, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
number = {'x86_64': 321, 'aarch64': 280}[os.uname().machine]
def bpf(command, attr):
    attr = ctypes.create_string_buffer(attr.ljust(128, b'\0'))
    return libc.syscall(number, command, attr, 128), attr
last, total = 0, [0, 0]
while True:
    ok, attr = bpf(12, struct.pack('<II', last, 0))                # BPF_MAP_GET_NEXT_ID
    if ok < 0:
        break
    last = struct.unpack_from('<I', attr, 4)[0]
    fd, _ = bpf(14, struct.pack('<III', last, 0, 0))               # BPF_MAP_GET_FD_BY_ID
    info = ctypes.create_string_buffer(128)
    bpf(15, struct.pack('<IIQ', fd, 128, ctypes.addressof(info)))  # BPF_OBJ_GET_INFO_BY_FD
    if info[24:32] == b'counters':
        key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(16 * 1024)
        ok, _ = bpf(1, struct.pack('<IIQQ', fd, 0, ctypes.addressof(key), ctypes.addressof(value)))
        numbers = struct.unpack('<2048Q', value)
        total = [total[i] + sum(numbers[i::2]) for i in (0, 1)]
    os.close(fd)
print(*total)
END
case $(uname -m) in
x86_64 | aarch64)
	for target in xdp tc; do
		for level in 0 2; do
			what="$target, level $level: counted"
			"$tool" --from=bpf_asm -f web.bpf_asm --target=$target -O $level --to=elf \
				--counter -o count.o
			if [ $target = xdp ]; then
				ip link set dev receiver xdp obj count.o sec xdp 2>err
			else
				tc qdisc replace dev sender clsact && tc filter add dev sender \
					egress bpf da obj count.o sec tc 2>err
			fi || { skip "$what: not taken: $(head -n 1 err)"; continue; }
			check_same "$what packets still pass" '80:1 80:3' \
				"$(python3 frames.py 100 1 2 3 4)"
			check_same "$what" '2 200' "$(python3 counters.py)"
			ip link set dev receiver xdp off
			tc qdisc del dev sender clsact 2>/dev/null
		done
	done
	;;
*)
	skip 'the number of the system call bpf is not known here: nothing is counted'
	;;
esac
if command -v tc >/dev/null 2>&1 &&
	"$tool" --from=bpf_asm -f web.bpf_asm --target=tc --to=elf -o web.o 2>err &&
	tc qdisc replace dev sender clsact && tc filter add dev sender egress bpf da obj web.o sec tc
then
	check_same 'tc takes the object' '80:1 80:3' "$(python3 frames.py 100 1 2 3 4)"
	tc qdisc del dev sender clsact
else
	skip 'tc takes no object'
fi

# ---- a function in somebody's program ----

# clang as a cross compiler: the kernel's headers lie where the host's are.
headers=$(printf '#include <asm/types.h>\n' | $CC -M -E -x c - 2>/dev/null |
	tr ' ' '\n' | sed -n 's|/asm/types.h$||p')
if command -v clang >/dev/null 2>&1 && command -v tc >/dev/null 2>&1 &&
	echo 'int x;' | clang -target bpf -c -x c -o probe.o - 2>/dev/null; then
	for level in 0 2; do
		for target in xdp tc; do
			context=xdp_md
			[ $target = xdp ] || context=__sk_buff
			{
				echo '#include <linux/bpf.h>'
				"$tool" --from=bpf_asm -f web.bpf_asm --target=$target -O $level \
					--to=c --function=is_web --match=0 --miss=2
				echo "__attribute__((section(\"$target\"), used))"
				echo "int prog(struct $context *c) { return is_web(c) == 0 ? 2 : $(
					[ $target = xdp ] && echo 1 || echo 0); }"
				echo '__attribute__((section("license"), used))'
				echo 'char _license[] = "BSD";'
			} >own.c
			check "$target, level $level: clang takes the function" clang -target bpf -O2 \
				-Wall -Wextra -Werror "-I$headers" -c -o own.o own.c
		done
		check "tc, level $level: the verifier takes it" sh -c \
			'tc qdisc replace dev sender clsact &&
			tc filter replace dev sender egress handle 1 prio 7 bpf da obj own.o sec tc'
		check_same "tc, level $level: it drops what matches" '81:2 81:4' \
			"$(python3 frames.py 100 1 2 3 4)"
		tc qdisc del dev sender clsact
	done
else
	skip 'no clang for eBPF, or no tc: the function is in no program'
fi

# ---- from a tcpdump filter, as the manual page shows it ----

if command -v tcpdump >/dev/null 2>&1; then
	tcpdump -ddd -y EN10MB 'tcp port 80' 2>/dev/null |
		"$tool" --target=xdp --match=drop --miss=pass --attach=receiver >out 2>err
	check_same 'in a pipe' 'attached to receiver' "$(tail -n 1 out)$(cat err)"
	check 'ip shows it' sh -c 'ip link show dev receiver | grep -q xdp'
	check_same 'it drops' '81:2 81:4' "$(python3 frames.py 100 1 2 3 4)"
	"$tool" --target=xdp --detach=receiver
	check_same 'it is gone' '80:1 81:2 80:3 81:4' "$(python3 frames.py 100 1 2 3 4)"
else
	skip 'no tcpdump: no filter of its own'
fi

# ---- VLAN tags ----

# What a classifier drops on its way in, of frames with no tag, tag 5, tag 6, and tag 7
# with tag 5 inside.
cat >tags.py <<'END'
import socket
send = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
send.bind(('sender', 0))
macs = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
for tags in '', '81000005', '81000006', '8100000781000005':
    send.send(macs + bytes.fromhex(tags) + b'\x08\x00' + bytes(60))
END
dropped()
{
	"$tool" --target=tc --match=ok --miss=shot --attach=receiver "$@" >out 2>err ||
		{ cat err; return; }
	before=$(tc -s qdisc show dev receiver clsact | sed -n 's/.*dropped \([0-9]*\).*/\1/p')
	python3 tags.py
	after=$(tc -s qdisc show dev receiver clsact | sed -n 's/.*dropped \([0-9]*\).*/\1/p')
	echo $((after - before))
}
if has_libpcap && command -v tc >/dev/null 2>&1; then
	for level in 0 1 2; do
		check_same "vlan, level $level" 1 "$(dropped -O $level vlan)"
		check_same "not vlan, level $level" 3 "$(dropped -O $level not vlan)"
		check_same "vlan 5, level $level" 3 "$(dropped -O $level vlan 5)"
		check_same "two tags, level $level" 3 "$(dropped -O $level vlan 7 and vlan 5)"
	done
	"$tool" --target=tc --detach=receiver
else
	skip 'no libpcap or no tc: no expressions with tags'
fi

# ---- packets in pieces ----

ip link set receiver mtu 9000
ip link set sender mtu 9000
cat >deep.bpf_asm <<'END'
	ld #len
	sub #2
	tax
	ldb [x + 0]
	jeq #7, keep
	ldb [4998]
	jeq #7, keep
	ret #0
keep:	ret #-1
END
for level in 0 1 2; do
	"$tool" --from=bpf_asm -f deep.bpf_asm --target=tc -O $level --match=ok --miss=shot \
		--attach=sender/egress >out 2>err
	check_same "level $level: a byte in a later piece" '81:7 80:7' \
		"$(python3 frames.py 8000 1 7 7 4)"
	check_same "level $level: in frames of one piece too" '81:7 80:7' \
		"$(python3 frames.py 1000 1 7 7 4)"
	check_same "level $level: at a constant offset" '80:7' "$(python3 frames.py 5000 7 8)"
done
"$tool" --target=tc --detach=sender/egress

# The network layer's bytes behind the first piece: where the link type has it.
printf '%s\n' 2 '40 0 0 4293924720' '22 0 0 0' >net.ddd
"$tool" --from=ddd -f net.ddd --target=tc --match=ok --miss=shot --attach=sender/egress >out 2>err
check_same 'relative to the network layer' '80:7' "$(python3 frames.py 6016 7 0)"
"$tool" --target=tc --detach=sender/egress

finish
