#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Killed at any point of a run, bpfsift leaves a savefile that is a beginning of the whole
# one, readable up to its last complete packet: by us, and by tcpdump.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

if ! command -v python3 >/dev/null 2>&1; then
	skip 'no python3: nothing killed'
	finish
fi
data=$(cd "$srcdir" && pwd)/tests/data
# What runs as another user could not write to $scratch.
[ "$(id -u)" -ne 0 ] || BPFSIFT="$BPFSIFT -Z root"
cd "$scratch" || exit 99
python3 - "$data/demo.pcap" >big.pcap <<'END'
import sys
whole = open(sys.argv[1], 'rb').read()
sys.stdout.buffer.write(whole[:24] + whole[24:] * 60)
END

# Compressed, with those codecs that were built in.
codecs=
for codec in gzip zstd lz4 xz; do
	# shellcheck disable=SC2086
	if $BPFSIFT -r "$data/demo.pcap" -w out.try --compress=$codec 2>err; then
		codecs="$codecs $codec"
	else
		skip "$codec: $(sed -n 's/^bpfsift: //p' err)"
	fi
done

cat >kill.py <<'END'
import glob, os, random, subprocess, sys, time

bpfsift, peer = sys.argv[1].split(), sys.argv[2].split()
n_runs, seed, codecs = int(sys.argv[3]), int(sys.argv[4]), sys.argv[5].split()
random.seed(seed)
big = open('big.pcap', 'rb').read()
expression = 'ip and not tcp port 443'
problems = 0

def ends_of(whole):
    """Offsets of the ends of a pcap file's records, header first."""
    ends, at = [24], 24
    while at < len(whole):
        at += 16 + int.from_bytes(whole[at + 8:at + 12], 'little')
        ends.append(at)
    assert ends[-1] == len(whole)
    return ends

def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

def clear():
    for name in glob.glob('out*'):
        os.unlink(name)

def contents():
    return {name: open(name, 'rb').read() for name in glob.glob('out*')}

def command(options, source):
    return bpfsift + ['-r', source] + options + [expression]

whole_pcap = run(peer + ['-r', 'big.pcap', '-w', '-', expression]).stdout
ends = ends_of(whole_pcap)
wholes = {}

def whole_of(options):
    """The files that such a run leaves when it is let alone."""
    key = tuple(options)
    if key not in wholes:
        clear()
        done = run(command(options, 'big.pcap'))
        assert done.returncode == 0, done.stderr
        wholes[key] = contents()
    return wholes[key]

def written():
    return sum(os.stat(name).st_size for name in glob.glob('out*'))

def kill_file_run(options):
    """Read from a file: killed when so much was written."""
    size = sum(len(whole) for whole in whole_of(options).values())
    wanted = int(size * random.random() ** 2) # what is left is written while we look
    clear()
    p = subprocess.Popen(command(options, 'big.pcap'), stderr=subprocess.DEVNULL)
    while p.poll() is None and written() < wanted:
        pass
    p.kill()
    p.wait()

in_ends = ends_of(big)

def kill_live_run(options):
    """Packets that come as they come: killed when all that matched so far was written."""
    until = random.choice(in_ends[1:600])
    if random.randrange(2):
        until += random.randrange(16) # a packet has begun to come
    # the next bound of the whole output that these packets reach
    known = run(peer + ['-r', '-', '-w', '-', expression], input=big[:until]).stdout
    clear()
    p = subprocess.Popen(command(options + ['-U'], '-'), stdin=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    at = 0
    while at < until:
        n = min(until - at, random.randrange(1, 4000))
        p.stdin.write(big[at:at + n])
        p.stdin.flush()
        at += n
    deadline = time.monotonic() + (60 if problems == 0 else 0)
    while p.poll() is None and time.monotonic() < deadline and \
          n_packets_of('out') < len(ends_of(known)) - 1:
        time.sleep(0.001)
    p.kill()
    p.wait()
    p.stdin.close()
    return len(ends_of(known)) - 1

def n_packets_of(name):
    """Complete packets in a file that may be in the middle of being written."""
    if not os.path.exists(name) or os.stat(name).st_size < 24:
        return 0
    again = run(bpfsift + ['-r', name, '--count']).stdout
    return int(again.split()[0]) if again else 0

def read_back(reader, name):
    """What a reader makes of the file, as pcap."""
    return run(reader + ['-r', name, '-w', '-', '--micro']).stdout

def expect(is_so, what, *more):
    global problems
    if not is_so:
        problems += 1
        print('FAILED:', what, *more)

def check_one(name, whole, options):
    """One plain file: a beginning of the whole one, and its complete packets are read."""
    have = open(name, 'rb').read()
    expect(whole.startswith(have), 'no beginning of the whole file', name, options)
    ng = '--format=pcapng' in options
    if len(have) < 24 or (ng and b'\x06\0\0\0' not in have):
        return
    ours, theirs = read_back(bpfsift, name), read_back(peer, name)
    expect(ours == theirs, 'we read it otherwise than tcpdump', name, options)
    if ng:
        # Blocks: those of packets that are all there.
        n, at = 0, 0
        while at + 12 <= len(have):
            size = int.from_bytes(have[at + 4:at + 8], 'little')
            if at + size > len(have):
                break
            n += have[at:at + 4] == b'\x06\0\0\0'
            at += size
        expect(len(ends_of(ours)) - 1 == n, 'not each complete packet is read', name, options)
    else:
        last = max(end for end in ends_of(whole) if end <= len(have))
        expect(ours == whole[:last], 'not each complete packet is read', name, options)

def check_rotated(options):
    whole = whole_of(options)
    have = contents()
    names = sorted(have, key=lambda name: (len(name), name))
    for name in names:
        check_one(name, whole[name], options)
    for name in names[:-1]:
        expect(have[name] == whole[name], 'a file before the last is not whole', name, options)

def check_coded(options):
    """A beginning of the packets, though not each that is in the file."""
    if os.path.exists('out'):
        ours = read_back(bpfsift, 'out')
        expect(whole_pcap.startswith(ours), 'no beginning of the packets', options)

kinds = [(['-w', 'out'], False), (['-w', 'out', '--threads=1'], False),
         (['-w', 'out', '-U', '--threads=1'], False), (['-w', 'out', '--format=pcapng'], False),
         (['-w', 'out', '-C', '1'], False), (['-w', 'out'], True),
         (['-w', 'out', '--format=pcapng'], True)]
coded = [['-w', 'out', '--compress=' + codec] for codec in codecs]
n_within = 0
for i in range(n_runs):
    if coded and i % 8 == 7:
        options = random.choice(coded)
        kill_file_run(options)
        check_coded(options)
        n_within += 0 < written() < sum(map(len, whole_of(options).values()))
        continue
    options, is_live = kinds[i % len(kinds)]
    whole = whole_of(options)
    if is_live:
        expected = kill_live_run(options)
        expect(n_packets_of('out') == expected, '-U: packets that came were not written', options)
    else:
        kill_file_run(options)
    n_within += 0 < written() < sum(map(len, whole.values()))
    if '-C' in options:
        check_rotated(options)
    elif os.path.exists('out'):
        check_one('out', whole['out'], options)
expect(whole_of(['-w', 'out'])['out'] == whole_pcap, 'left alone it does not write what tcpdump does')
expect(n_within * 8 >= n_runs, 'too few of them were killed within a run', n_within)
print('killed %d times, %d of them with a part of the output written; seed %d'
      % (n_runs, n_within, seed))
sys.exit(problems != 0)
END
runs=$((200 * ${TEST_SCALE:-100} / 100))
[ $runs -ge 16 ] || runs=16
seed=${TEST_SEED:-$(date +%s)}
check "each of $runs runs that were killed left a savefile that can be read (TEST_SEED=$seed)" \
	python3 kill.py "$BPFSIFT" "$peer" $runs "$seed" "$codecs"
# shellcheck disable=SC2154
printf '%s\n' "$suite_output" | tail -n 1
finish
