#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write the captures of tests/data, byte for byte as they are committed.

usage: generate.py [FOLDER]     write them into FOLDER, this file's by default
       generate.py --list       say what each of them shows

One function a capture; its docstring says what it shows.  tests/cli/data.sh
compares what is written here with what is committed.  Captures whose name
ends in '-ns' have nanosecond time stamps.

All names, addresses and contents are made up; addresses are from the ranges
that RFC 1918, RFC 5737 and RFC 3849 set aside.
"""

import os
import struct
import sys

sys.dont_write_bytecode = True
from frames import *  # noqa: E402,F403

LINKTYPE_NULL, LINKTYPE_ETHERNET, LINKTYPE_IEEE802_5, LINKTYPE_SLIP = 0, 1, 6, 8
LINKTYPE_PPP, LINKTYPE_FDDI, LINKTYPE_RAW, LINKTYPE_C_HDLC = 9, 10, 101, 104
LINKTYPE_IEEE802_11, LINKTYPE_LOOP, LINKTYPE_LINUX_SLL, LINKTYPE_PFLOG = 105, 108, 113, 117
LINKTYPE_SUNATM, LINKTYPE_RADIOTAP, LINKTYPE_MTP2, LINKTYPE_LINUX_SLL2 = 123, 127, 140, 276

EPOCH_NS = 1700000000 * 10**9   # 14 November 2023, 22:13:20 UTC
STEP_NS = 13000217              # no multiple of a microsecond: the last digits count

A_MAC, B_MAC, ROUTER_MAC = "02:00:5e:10:00:0a", "02:00:5e:10:00:0b", "02:00:5e:10:00:01"
A_IP, B_IP, C_IP, FAR_IP = "10.1.0.10", "10.1.0.11", "10.1.7.12", "198.51.100.80"
A_IP6, B_IP6, FAR_IP6 = "2001:db8:1::a", "2001:db8:1::b", "2001:db8:99::80"

CAPTURES = []


def capture(name):
    def add(function):
        CAPTURES.append((name, function))
        return function
    return add


WHO_HAS = arp(1, A_MAC, A_IP, "00:00:00:00:00:00", B_IP)


def a_to_b(kind, payload):
    return ether(B_MAC, A_MAC, kind, payload)


def spaced(frames):
    """Packets from frames, one every 13 ms and a bit."""
    return [packet(EPOCH_NS + i * STEP_NS, frame) for i, frame in enumerate(frames)]


def bpdu(bridge):
    """What the root of a spanning tree says of itself."""
    root = b"\x80\x00" + mac(bridge)
    timers = struct.pack(">HHHHH", 0x8001, 0, 20 << 8, 2 << 8, 15 << 8)
    return bytes(5) + root + bytes(4) + root + timers


# ---- an office ----


class Office:
    """A minute of an office's uplink: what its hosts say, sorted by time."""

    GATEWAY, DNS_IP, GATEWAY6 = "10.20.0.1", "10.20.0.1", "fe80::5eff:fe20:1"
    GATEWAY_MAC = "02:00:5e:20:00:01"

    def __init__(self):
        self.sent = []
        self.ident = 0x1000

    def host(self, n):
        """MAC, IPv4, IPv6 of workstation n."""
        return "02:00:5e:20:01:%02x" % n, "10.20.0.%d" % (100 + n), "2001:db8:20::%x" % (0x100 + n)

    def send(self, time_s, frame):
        self.sent.append((EPOCH_NS // 1000 + round(time_s * 10**6), frame))

    def packets(self):
        self.sent.sort(key=lambda entry: entry[0])
        return [packet(time_us * 1000, frame) for time_us, frame in self.sent]

    def up(self, time_s, n, dst, protocol, segment, vid=None):
        self.ident += 1
        self.tagged(time_s, self.GATEWAY_MAC, self.host(n)[0],
                    ipv4(self.host(n)[1], dst, protocol, segment, ident=self.ident), vid)

    def down(self, time_s, n, src, protocol, segment, vid=None):
        self.ident += 1
        self.tagged(time_s, self.host(n)[0], self.GATEWAY_MAC,
                    ipv4(src, self.host(n)[1], protocol, segment, ttl=55, ident=self.ident), vid)

    def tagged(self, time_s, dst, src, datagram, vid):
        if vid is None:
            self.send(time_s, ether(dst, src, ETH_IPV4, datagram))
        else:
            self.send(time_s, ether(dst, src, ETH_VLAN, vlan(vid, ETH_IPV4, datagram)))

    def lookup(self, time_s, n, name, address):
        ident, port = 0x4000 + len(self.sent), 40000 + len(self.sent)
        kind = 28 if ":" in address else 1
        self.up(time_s, n, self.DNS_IP, UDP, udp(port, 53, dns(ident, name, None, kind)))
        self.down(time_s + 0.0081, n, self.DNS_IP, UDP, udp(53, port, dns(ident, name, address, kind)))

    def connection(self, time_s, n, server, port, exchanges, rtt=0.018, vid=None):
        """A TCP connection: exchanges are (request, response) pairs of bytes."""
        sport = 50000 + len(self.sent)
        seq, ack = 0x10000000 + 977 * len(self.sent), 0x70000000 + 1999 * len(self.sent)
        mss = struct.pack(">BBHBBBB", 2, 4, 1460, 1, 1, 4, 2)

        def up(t, flags, payload=b"", options=b""):
            self.up(t, n, server, TCP, tcp(sport, port, flags, payload, seq,
                                           ack if "A" in flags else 0, options=options), vid)

        def down(t, flags, payload=b"", options=b""):
            self.down(t, n, server, TCP, tcp(port, sport, flags, payload, ack, seq, 65160, options), vid)

        up(time_s, "S", options=mss)
        seq += 1
        down(time_s + rtt, "SA", options=mss)
        ack += 1
        t = time_s + rtt + 0.0002
        up(t, "A")
        for request, response in exchanges:
            t += 0.0011
            up(t, "PA", request)
            seq += len(request)
            t += rtt
            pieces = [response[i:i + 1460] for i in range(0, len(response), 1460)]
            for i, piece in enumerate(pieces):
                down(t + 0.0001 * i, "PA" if i == len(pieces) - 1 else "A", piece)
                ack += len(piece)
            t += 0.0001 * len(pieces) + 0.0003
            up(t, "A")
        t += 0.4
        up(t, "FA")
        seq += 1
        down(t + rtt, "FA")
        ack += 1
        up(t + rtt + 0.0002, "A")

    def http(self, time_s, n, host, address, paths, port=80):
        exchanges = []
        for path, size in paths:
            body = ("<!doctype html><title>%s</title>\n" % path).encode()
            body = (body + b"<p>All quiet in the office today.\n" * (size // 34 + 1))[:size]
            exchanges.append((
                ("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: office/1.0\r\nAccept: */*\r\n\r\n"
                 % (path, host)).encode(),
                ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
                 % size).encode() + body))
        self.connection(time_s, n, address, port, exchanges)

    def tls(self, time_s, n, host, address, sizes, vid=None):
        def record(kind, size, label):
            return struct.pack(">BHH", kind, 0x0303, size) + noise(size, "%s %s" % (host, label))

        exchanges = [(record(22, 220, "hello"), record(22, 1900, "certificate")),
                     (record(20, 1, "ccs") + record(22, 40, "finished"), record(22, 40, "done"))]
        exchanges += [(record(23, 90 + i, "ask %d" % i), record(23, size, "answer %d" % i))
                      for i, size in enumerate(sizes)]
        self.connection(time_s, n, address, 443, exchanges, rtt=0.023, vid=vid)

    def ping(self, time_s, n, address, count):
        for i in range(count):
            self.up(time_s + i, n, address, ICMP, echo(8, 0x2F00 + n, i + 1))
            self.down(time_s + i + 0.0123, n, address, ICMP, echo(0, 0x2F00 + n, i + 1))

    def who_has(self, time_s, n, address, answer=True):
        src, src_ip, _ = self.host(n)
        self.send(time_s, ether(BROADCAST, src, ETH_ARP,
                                arp(1, src, src_ip, "00:00:00:00:00:00", address)))
        if answer:
            self.send(time_s + 0.0004, ether(src, self.GATEWAY_MAC, ETH_ARP,
                                             arp(2, self.GATEWAY_MAC, address, src, src_ip)))

    def lease(self, time_s, n):
        client, address, _ = self.host(n)
        for i, (kind, yours) in enumerate([(1, "0.0.0.0"), (2, address), (3, "0.0.0.0"), (5, address)]):
            message = dhcp(kind, 0x20D0 + n, client, yours)
            t = time_s + 0.011 * i
            if kind in (1, 3):
                self.send(t, ether(BROADCAST, client, ETH_IPV4, ipv4(
                    "0.0.0.0", "255.255.255.255", UDP, udp(68, 67, message))))
            else:
                self.send(t, ether(client, self.GATEWAY_MAC, ETH_IPV4, ipv4(
                    self.GATEWAY, address, UDP, udp(67, 68, message))))

    def neighbour(self, time_s, n):
        client, _, address = self.host(n)
        router = "2001:db8:20::1"
        self.send(time_s, ether("33:33:ff:00:00:01", client, ETH_IPV6, ipv6(
            address, "ff02::1:ff00:1", ICMP6,
            icmp(135, 0, bytes(4), ip(router) + b"\x01\x01" + mac(client)), hop_limit=255)))
        self.send(time_s + 0.0005, ether(client, self.GATEWAY_MAC, ETH_IPV6, ipv6(
            router, address, ICMP6,
            icmp(136, 0, b"\xe0\0\0\0", ip(router) + b"\x02\x01" + mac(self.GATEWAY_MAC)),
            hop_limit=255)))

    def advertise(self, time_s):
        prefix = struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 86400, 14400, 0) + ip("2001:db8:20::")
        self.send(time_s, ether("33:33:00:00:00:01", self.GATEWAY_MAC, ETH_IPV6, ipv6(
            self.GATEWAY6, "ff02::1", ICMP6,
            icmp(134, 0, struct.pack(">BBH", 64, 0, 1800), bytes(8) + prefix), hop_limit=255)))

    def announce(self, time_s, n):
        """mDNS: what a workstation is called."""
        self.send(time_s, ether("01:00:5e:00:00:fb", self.host(n)[0], ETH_IPV4, ipv4(
            self.host(n)[1], "224.0.0.251", UDP,
            udp(5353, 5353, dns(0, "desk%d.local" % n, self.host(n)[1])), ttl=255)))

    def clock(self, time_s, n):
        self.up(time_s, n, "203.0.113.123", UDP, udp(123, 123, b"\x23" + noise(47, "ntp %d" % n)))
        self.down(time_s + 0.03, n, "203.0.113.123", UDP, udp(123, 123, b"\x24" + noise(47, "pool %d" % n)))

    def phone(self, time_s, n, count):
        """A call on the telephones' VLAN, 20 ms of sound a packet."""
        for i in range(count):
            sound = struct.pack(">BBHII", 0x80, 0, i, 160 * i, 0x5EED) + noise(160, "call %d" % i)
            if i % 2 == 0:
                self.up(time_s + 0.02 * i, n, "10.30.0.5", UDP, udp(16384, 16390, sound), vid=30)
            else:
                self.down(time_s + 0.02 * i, n, "10.30.0.5", UDP, udp(16390, 16384, sound), vid=30)

    def bridge(self, time_s):
        self.send(time_s, ieee802_3("01:80:c2:00:00:00", self.GATEWAY_MAC, llc(
            0x42, 0x42, 0x03, bpdu(self.GATEWAY_MAC))))


@capture("demo.pcap")
def demo():
    """A mixed office trace of a minute: web, DNS, DHCP, ARP, ping, IPv6, telephones on a VLAN."""
    office = Office()
    for t in range(0, 60, 4):
        office.bridge(t + 0.5)
    office.lease(0.8, 1)
    office.lease(31.2, 4)
    for n in range(1, 6):
        office.who_has(1.1 + 0.7 * n, n, office.GATEWAY)
        office.neighbour(2.3 + 1.9 * n, n)
        office.announce(3.9 + 5.1 * n, n)
        office.clock(6.2 + 7.3 * n, n)
    office.who_has(44.0, 2, "10.20.0.250", answer=False)
    office.who_has(45.0, 2, "10.20.0.250", answer=False)
    office.advertise(9.7)
    office.advertise(49.7)

    office.lookup(4.0, 1, "www.example.com", "203.0.113.10")
    office.http(4.1, 1, "www.example.com", "203.0.113.10",
                [("/", 3100), ("/style.css", 900), ("/news", 5200)])
    office.lookup(8.6, 2, "intranet.example.net", "198.51.100.20")
    office.http(8.7, 2, "intranet.example.net", "198.51.100.20", [("/menu", 1300), ("/rota", 700)])
    office.lookup(12.2, 3, "mail.example.org", "203.0.113.25")
    office.tls(12.3, 3, "mail.example.org", "203.0.113.25", [700, 2400, 300])
    office.lookup(17.5, 1, "www.example.com", "2001:db8:10::10")
    office.lookup(20.0, 4, "updates.example.net", "198.51.100.77")
    office.http(20.1, 4, "updates.example.net", "198.51.100.77", [("/latest", 9000)])
    office.lookup(26.4, 5, "git.example.org", "203.0.113.9")
    office.tls(26.5, 5, "git.example.org", "203.0.113.9", [4000, 1200])
    office.tls(33.3, 2, "files.example.net", "198.51.100.21", [1500, 6000, 800])
    office.http(37.0, 3, "www.example.com", "203.0.113.10", [("/", 3100)])
    office.http(41.5, 5, "proxy.example.net", "10.20.0.8", [("/status", 400)], port=8080)
    office.tls(47.0, 1, "chat.example.org", "203.0.113.44", [200, 200, 200, 200])
    office.lookup(52.3, 2, "www.example.com", "203.0.113.10")
    office.http(52.4, 2, "www.example.com", "203.0.113.10", [("/news", 5200), ("/logo.svg", 1700)])
    office.ping(14.0, 2, "203.0.113.1", 6)
    office.ping(39.0, 4, "198.51.100.1", 4)
    office.phone(23.0, 9, 60)
    return pcap(office.packets(), LINKTYPE_ETHERNET)


# ---- Ethernet ----


def ipx(payload=b"\0" * 16):
    return b"\xff\xff" + struct.pack(">HBB", 30 + len(payload), 0, 4) + (
        struct.pack(">I6sH", 1, mac(B_MAC), 0x452) + struct.pack(">I6sH", 1, mac(A_MAC), 0x4003)) + payload


def decnet(dst, src, long_form, padded=False):
    """A data packet's routing header; dst and src are (area, node)."""
    to, at = (struct.pack("<H", area << 10 | node) for area, node in (dst, src))
    if long_form:
        header = b"\x06\0\0\xaa\0\4\0" + to + b"\0\0\xaa\0\4\0" + at + b"\0\0\0\0"
    else:
        header = b"\x02" + to + at + b"\0"
    header = (b"\x81" if padded else b"") + header + noise(12, "decnet")
    return struct.pack("<H", len(header)) + header


def osi(nlpid, rest=b""):
    return llc(0xFE, 0xFE, 0x03, bytes([nlpid]) + rest)


def isis(pdu_type):
    return osi(0x83, bytes([27, 1, 0, pdu_type, 1, 0, 0]) + noise(40, "isis %d" % pdu_type))


@capture("ether.pcap")
def old_ethernet():
    """Ethernet that is not IP: ARP, RARP, 802.3 with LLC, STP, OSI, IPX, AppleTalk, DECnet, LAT, MOP."""
    all_isis = "01:80:c2:00:00:14"
    nobody = "00:00:00:00:00:00"
    frames = [
        ether(BROADCAST, A_MAC, ETH_ARP, WHO_HAS),
        ether(A_MAC, B_MAC, ETH_ARP, arp(2, B_MAC, B_IP, A_MAC, A_IP)),
        ether(BROADCAST, B_MAC, ETH_ARP, arp(1, B_MAC, C_IP, nobody, C_IP)),
        ether(BROADCAST, A_MAC, ETH_RARP, arp(3, A_MAC, "0.0.0.0", A_MAC, "0.0.0.0")),
        ether(A_MAC, B_MAC, ETH_RARP, arp(4, B_MAC, B_IP, A_MAC, A_IP)),
        ieee802_3("01:80:c2:00:00:00", A_MAC, llc(0x42, 0x42, 0x03, bpdu(A_MAC))),
        ieee802_3("03:00:00:00:00:01", A_MAC, llc(0xF0, 0xF0, 0x03, b"\x2c\0\xff\xef\x08" + bytes(30))),
        ieee802_3(B_MAC, A_MAC, llc(0xF0, 0xF1, 0x0204, b"\x0e\0\xff\xef\x16" + bytes(9))),
        ieee802_3("09:00:2b:00:00:05", A_MAC, osi(0x81, b"\x1b\x01\x3f\x1c" + noise(30, "clnp"))),
        ieee802_3("09:00:2b:00:00:04", A_MAC, osi(0x82, b"\x0f\x01\0\x02" + noise(20, "esis"))),
    ]
    frames += [ieee802_3(all_isis, A_MAC, isis(t)) for t in (15, 16, 17, 18, 20, 24, 25, 26, 27)]
    frames += [
        # Supervisory (rr, rnr, rej), then unnumbered: ua, disc, sabme, test, xid, frmr.
        ieee802_3(B_MAC, A_MAC, llc(0x04, 0x04, control))
        for control in (0x0101, 0x0501, 0x0901, 0x63, 0x43, 0x6F, 0xE3, 0xAF, 0x87)
    ]
    frames += [
        ieee802_3(B_MAC, A_MAC, ipx()),
        ieee802_3(B_MAC, A_MAC, llc(0xE0, 0xE0, 0x03, ipx())),
        ieee802_3(B_MAC, A_MAC, snap(0x000000, ETH_IPX, ipx())),
        a_to_b(ETH_IPX, ipx()),
        ieee802_3("09:00:07:ff:ff:ff", A_MAC, snap(0x080007, ETH_ATALK, noise(24, "ddp"))),
        ether("09:00:07:ff:ff:ff", B_MAC, ETH_ATALK, noise(24, "ddp ii")),
        ieee802_3("09:00:07:ff:ff:ff", A_MAC, snap(0x000000, ETH_AARP, noise(28, "aarp"))),
        ether("09:00:07:ff:ff:ff", B_MAC, ETH_AARP, noise(28, "aarp ii")),
        ieee802_3(B_MAC, A_MAC, snap(0x000000, ETH_IPV4, ipv4(A_IP, B_IP, UDP, udp(1024, 7, b"snap")))),
        ieee802_3("01:00:0c:cc:cc:cc", A_MAC, snap(0x00000C, 0x2000, noise(60, "cdp"))),
        ether("aa:00:04:00:02:04", "aa:00:04:00:01:04", ETH_DECNET, decnet((1, 2), (1, 1), True)),
        ether("aa:00:04:00:02:04", "aa:00:04:00:01:04", ETH_DECNET, decnet((1, 2), (1, 1), True, True)),
        ether("aa:00:04:00:01:04", "aa:00:04:00:03:04", ETH_DECNET, decnet((1, 1), (1, 3), False)),
        ether("aa:00:04:00:01:04", "aa:00:04:00:03:04", ETH_DECNET, decnet((1, 1), (1, 3), False, True)),
        ether("ab:00:00:04:00:00", "aa:00:04:00:09:08", ETH_DECNET, decnet((2, 9), (2, 8), True)),
        ether("09:00:2b:00:00:0f", A_MAC, ETH_LAT, b"\x06" + noise(40, "lat")),
        ether("ab:00:00:01:00:00", A_MAC, ETH_MOPDL, b"\x08" + noise(20, "mopdl")),
        ether("ab:00:00:02:00:00", A_MAC, ETH_MOPRC, b"\x07" + noise(30, "moprc")),
        ether(A_MAC, A_MAC, ETH_LOOP, b"\0\0\1\0" + bytes(40)),
        ether("01:80:c2:00:00:0e", A_MAC, ETH_LLDP, noise(50, "lldp")),
        a_to_b(0x6007, noise(46, "sca")),
        a_to_b(ETH_IPV4, ipv4(A_IP, B_IP, TCP, tcp(1025, 80, "S"))),
    ]
    return pcap(spaced(frames), LINKTYPE_ETHERNET)


def plain_ip():
    """A few datagrams, as (ethertype, bytes): what every link type carries."""
    return [
        (ETH_IPV4, ipv4(A_IP, FAR_IP, TCP, tcp(1025, 80, "S", seq=1))),
        (ETH_IPV4, ipv4(FAR_IP, A_IP, TCP, tcp(80, 1025, "SA", seq=7, ack=2))),
        (ETH_IPV4, ipv4(A_IP, FAR_IP, TCP, tcp(1025, 80, "PA", b"GET / HTTP/1.0\r\n\r\n", 2, 8))),
        (ETH_IPV4, ipv4(A_IP, B_IP, UDP, udp(1026, 53, dns(9, "www.example.com")))),
        (ETH_IPV4, ipv4(B_IP, A_IP, UDP, udp(53, 1026, dns(9, "www.example.com", FAR_IP)))),
        (ETH_IPV4, ipv4(A_IP, C_IP, ICMP, echo(8, 1, 1))),
        (ETH_IPV4, ipv4(C_IP, A_IP, ICMP, echo(0, 1, 1))),
        (ETH_IPV4, ipv4(A_IP, "224.0.0.251", UDP, udp(5353, 5353, dns(0, "a.local")), ttl=255)),
        (ETH_IPV6, ipv6(A_IP6, FAR_IP6, TCP, tcp(1027, 443, "S", seq=5))),
        (ETH_IPV6, ipv6(FAR_IP6, A_IP6, TCP, tcp(443, 1027, "RA", ack=6))),
        (ETH_IPV6, ipv6(A_IP6, B_IP6, UDP, udp(1028, 53, dns(10, "example.org")))),
        (ETH_IPV6, ipv6("fe80::a", "ff02::1:ff00:b", ICMP6, icmp(135, 0, bytes(4), ip(B_IP6)), 255)),
    ]


@capture("tags.pcap")
def tags():
    """VLAN tags of three kinds, one and two deep, MPLS stacks, and PPPoE discovery and session."""
    frames = [a_to_b(kind, datagram) for kind, datagram in plain_ip()[:6]]
    for i, (kind, datagram) in enumerate(plain_ip()):
        frames.append(a_to_b(ETH_VLAN, vlan(100 + i % 3, kind, datagram, priority=i % 8)))
    for outer in (ETH_VLAN, ETH_QINQ, ETH_QINQ_OLD):
        frames.append(a_to_b(outer, vlan(300, ETH_IPV4, plain_ip()[3][1])))
        for vid, (kind, datagram) in zip((200, 201, 202, 200), plain_ip()[::3]):
            frames.append(a_to_b(outer, vlan(100, ETH_VLAN, vlan(vid, kind, datagram))))
    frames.append(ether(BROADCAST, A_MAC, ETH_VLAN, vlan(
        100, ETH_ARP, WHO_HAS)))
    for labels in ((1024,), (100000, 1024), (16, 100000, 1024), (3,)):
        frames.append(a_to_b(ETH_MPLS, mpls(labels, plain_ip()[0][1])))
        frames.append(a_to_b(ETH_MPLS, mpls(labels, plain_ip()[4][1])))
    frames.append(a_to_b(ETH_MPLS, mpls((2, ), plain_ip()[8][1])))
    frames.append(ether("01:00:5e:80:00:01", A_MAC, ETH_MPLS_MC, mpls((77,), plain_ip()[7][1])))
    frames.append(a_to_b(ETH_VLAN, vlan(100, ETH_MPLS, mpls((1024,), plain_ip()[1][1]))))
    for code, session in ((0x09, 0), (0x07, 0), (0x19, 0), (0x65, 0x27), (0xA7, 0x27)):
        frames.append(a_to_b(ETH_PPPOED, pppoe(code, session, b"\x01\x01\0\0")))
    for session in (0x27, 0x28):
        frames.append(a_to_b(ETH_PPPOES, pppoe(0, session, ppp(0xC021, b"\x01\x01\0\x04"))))
        for kind, datagram in plain_ip()[::2]:
            protocol = 0x0021 if kind == ETH_IPV4 else 0x0057
            frames.append(a_to_b(ETH_PPPOES, pppoe(0, session, ppp(protocol, datagram))))
    frames.append(a_to_b(ETH_VLAN, vlan(
        100, ETH_PPPOES, pppoe(0, 0x27, ppp(0x0021, plain_ip()[0][1])))))
    return pcap(spaced(frames), LINKTYPE_ETHERNET)


@capture("tunnels.pcap")
def tunnels():
    """Geneve with and without options, over IPv4 and IPv6, VXLAN, GRE, IP in IP, 6in4."""
    def outer(port, payload):
        return a_to_b(ETH_IPV4, ipv4("192.0.2.1", "192.0.2.2", UDP, udp(49152, port, payload)))

    inner = [(kind, datagram, ether(ROUTER_MAC, B_MAC, kind, datagram)) for kind, datagram in plain_ip()]
    option = b"\x01\x02\x80\x01" + b"\xde\xad\xbe\xef"
    frames = []
    for i, (kind, datagram, frame) in enumerate(inner):
        vni = 0xB + i % 2
        options = option if i % 3 == 0 else b""
        frames.append(outer(6081, geneve(vni, ETH_BRIDGE, frame, options)))
        frames.append(outer(6081, geneve(vni, kind, datagram, options)))
        frames.append(outer(4789, vxlan(vni, frame)))
    frames.append(outer(6081, geneve(0xC, ETH_BRIDGE, ether(
        ROUTER_MAC, B_MAC, ETH_VLAN, vlan(100, ETH_IPV4, inner[3][1])))))
    for kind, datagram, frame in inner[:4]:
        frames.append(a_to_b(ETH_IPV6, ipv6(
            A_IP6, B_IP6, UDP, udp(49152, 6081, geneve(0xB, ETH_BRIDGE, frame)))))
        frames.append(a_to_b(ETH_IPV4, ipv4("192.0.2.1", "192.0.2.2", GRE, gre(kind, datagram))))
        frames.append(a_to_b(ETH_IPV4, ipv4("192.0.2.1", "192.0.2.2", IPIP, datagram)))
    frames.append(a_to_b(ETH_IPV4, ipv4("192.0.2.1", "192.0.2.2", IPV6, inner[8][1])))
    frames.append(inner[0][2])
    return pcap(spaced(frames), LINKTYPE_ETHERNET)


@capture("ipv4.pcap")
def internet():
    """IPv4: options, fragments, all TCP flags, ICMP types, and the other protocols that have a name."""
    frames = []

    def add(src, dst, protocol, payload, **how):
        frames.append(a_to_b(ETH_IPV4, ipv4(src, dst, protocol, payload, **how)))

    for flags in ("S", "SA", "A", "PA", "FA", "R", "RA", "PAU", "SEC", "AE", "AC", "", "FSRPAUEC"):
        add(A_IP, FAR_IP, TCP, tcp(1025, 80, flags, b"x" * len(flags), seq=1, ack=1))
    for port in (22, 25, 53, 80, 443, 8080):
        add(A_IP, B_IP, TCP, tcp(port + 20000, port, "PA", noise(port % 90, "tcp %d" % port)))
        add(B_IP, A_IP, TCP, tcp(port, port + 20000, "A", options=b"\x01\x01\x08\x0a" + bytes(8)))
        add(A_IP, C_IP, UDP, udp(port + 10000, port, noise(port % 50, "udp %d" % port)))
    for port in (36412, 9899, 80):
        add(A_IP, C_IP, SCTP, sctp(port, port + 1, 7, 1, bytes(16)))
    for kind, code in ((0, 0), (3, 0), (3, 1), (3, 3), (3, 4), (4, 0), (5, 1), (8, 0), (9, 0),
                       (10, 0), (11, 0), (11, 1), (12, 0), (13, 0), (14, 0), (15, 0), (16, 0),
                       (17, 0), (18, 0)):
        add(C_IP, A_IP, ICMP, icmp(kind, code, payload=noise(20, "icmp %d" % kind)))
    for i in range(4):
        size = 24 if i < 3 else 10
        piece = udp(5000, 6000, noise(66, "fragments")) if i == 0 else noise(24, "fragment %d" % i)
        add(A_IP, B_IP, UDP, piece[:size], ident=77, fragment=(24 * i, i < 3))
    add(A_IP, B_IP, TCP, tcp(1025, 80, "A", bytes(4)), ident=78, fragment=(0, True))
    add(A_IP, B_IP, TCP, tcp(1025, 80, "A", options=b"\x01" * 20), options=b"\x94\x04\0\0")
    add(A_IP, B_IP, UDP, udp(1025, 53, b"record route"), options=b"\x07\x27\x04" + bytes(36))
    add(A_IP, "192.0.2.99", TCP, tcp(179, 40000, "PA"), ttl=1, tos=0xC0)
    add(A_IP, "224.0.0.22", IGMP, igmp(0x16, "239.1.2.3"), options=b"\x94\x04\0\0", ttl=1)
    add(C_IP, "224.0.0.1", IGMP, igmp(0x11, "0.0.0.0", 100), ttl=1)
    add(A_IP, "224.0.0.13", PIM, pim(0, b"\0\x01\0\x02\0\x69"), ttl=1)
    add(C_IP, "224.0.0.13", PIM, pim(3, bytes(8)), ttl=1)
    add(A_IP, "224.0.0.18", VRRP, vrrp(51, 100, "10.1.0.1"), ttl=255)
    add(B_IP, "224.0.0.18", VRRP, b"\x21\x07" + noise(34, "carp"), ttl=255)
    add(A_IP, "255.255.255.255", IGRP, noise(30, "igrp"), ttl=1)
    add(A_IP, C_IP, ESP, esp(0x1001, 1, 64))
    add(C_IP, A_IP, ESP, esp(0x1002, 1, 96))
    add(A_IP, C_IP, AH, ah(TCP, 0x2001, 1, tcp(1025, 80, "S")))
    add(A_IP, C_IP, AH, ah(UDP, 0x2001, 2, udp(1025, 53, b"in ah")))
    add(A_IP, C_IP, AH, ah(ESP, 0x2002, 3, esp(0x1003, 1, 32)))
    add(A_IP, C_IP, GRE, gre(ETH_IPV4, plain_ip()[0][1]))
    add(A_IP, C_IP, IPIP, plain_ip()[3][1])
    add(A_IP, C_IP, 89, noise(44, "ospf"), ttl=1)
    add(A_IP, C_IP, 253, noise(1400, "experiment"))
    for host in range(1, 40):
        add("172.16.%d.%d" % (host % 4, host), "172.31.0.%d" % (255 - host), UDP,
            udp(2000 + host, 3000 + 100 * host, noise(host, "host %d" % host)), ident=host)
    frames.append(ether(BROADCAST, A_MAC, ETH_IPV4, ipv4(
        "0.0.0.0", "255.255.255.255", UDP, udp(68, 67, dhcp(1, 5, A_MAC)))))
    frames.append(ether("01:00:5e:01:02:03", A_MAC, ETH_IPV4, ipv4(
        A_IP, "239.1.2.3", UDP, udp(5004, 5004, noise(100, "multicast")), ttl=8)))
    frames.append(ether(ROUTER_MAC, B_MAC, ETH_IPV4, ipv4(
        B_IP, FAR_IP, UDP, udp(4500, 4500, noise(9, "nat")))))
    frames.append(ether(BROADCAST, A_MAC, ETH_ARP, WHO_HAS))
    frames.append(a_to_b(ETH_IPV6, plain_ip()[8][1]))
    return pcap(spaced(frames), LINKTYPE_ETHERNET)


@capture("ipv6.pcap")
def internet6():
    """IPv6: extension headers in many orders, fragments, ICMPv6 types, and transport protocols."""
    frames = []

    def add(src, dst, next_header, payload, to=B_MAC, **how):
        frames.append(ether(to, A_MAC, ETH_IPV6, ipv6(src, dst, next_header, payload, **how)))

    segment, datagram = tcp(1025, 80, "S", seq=3), udp(1026, 53, dns(3, "v6.example.com"))
    for flags in ("S", "SA", "A", "PA", "FA", "R"):
        add(A_IP6, FAR_IP6, TCP, tcp(1025, 80, flags, b"six" if "P" in flags else b""))
    add(FAR_IP6, A_IP6, TCP, tcp(443, 1027, "A"), traffic_class=0xB8)
    add(A_IP6, B_IP6, UDP, datagram)
    add(A_IP6, B_IP6, SCTP, sctp(36412, 36412, 9, 1, bytes(16)))
    add(A_IP6, B_IP6, NO_NEXT, b"")
    add(A_IP6, B_IP6, HOP_BY_HOP, ipv6_options(TCP, segment), upper=(TCP, 8))
    add(A_IP6, B_IP6, DST_OPTS, ipv6_options(UDP, datagram), upper=(UDP, 8))
    add(A_IP6, B_IP6, ROUTING, ipv6_routing(TCP, segment, [FAR_IP6]), upper=(TCP, 24))
    add(A_IP6, B_IP6, ROUTING, ipv6_routing(UDP, datagram, [FAR_IP6, B_IP6]), upper=(UDP, 40))
    add(A_IP6, B_IP6, HOP_BY_HOP, ipv6_options(ROUTING, ipv6_routing(
        DST_OPTS, ipv6_options(TCP, segment), [FAR_IP6])), upper=(TCP, 40))
    add(A_IP6, B_IP6, HOP_BY_HOP, ipv6_options(DST_OPTS, ipv6_options(
        FRAGMENT, ipv6_fragment(UDP, datagram[:24], 0, True, 5))), upper=(0, 0))
    add(A_IP6, B_IP6, FRAGMENT, ipv6_fragment(UDP, datagram[24:], 24, False, 5), upper=(0, 0))
    add(A_IP6, B_IP6, FRAGMENT, ipv6_fragment(TCP, segment, 0, False, 6), upper=(0, 0))
    add(A_IP6, B_IP6, AH, ah(TCP, 0x3001, 1, segment))
    add(A_IP6, B_IP6, HOP_BY_HOP, ipv6_options(AH, ah(UDP, 0x3001, 2, datagram)), upper=(0, 0))
    add(A_IP6, B_IP6, ESP, esp(0x3002, 1, 80))
    add(A_IP6, B_IP6, IPV6, plain_ip()[9][1])
    add(A_IP6, B_IP6, IPIP, plain_ip()[0][1])
    add(A_IP6, B_IP6, GRE, gre(ETH_IPV6, plain_ip()[8][1]))
    add("fe80::1", "ff02::d", PIM, pim(0, b"\0\x01\0\x02\0\x69"), to="33:33:00:00:00:0d", hop_limit=1)
    add("fe80::1", "ff02::12", VRRP, b"\x31\x33\x64\x01" + bytes(20), to="33:33:00:00:00:12",
        hop_limit=255)
    for kind in (1, 2, 3, 4, *range(128, 150), 151, 152, 153):
        add("fe80::a", "ff02::1", ICMP6, icmp(kind, kind % 3, payload=noise(24, "icmp6 %d" % kind)),
            to="33:33:00:00:00:01", hop_limit=255)
    add("fe80::a", "ff02::16", HOP_BY_HOP, ipv6_options(ICMP6, icmp(143, 0, payload=bytes(20)),
                                                        b"\x05\x02\0\0\x01\0"), upper=(ICMP6, 8))
    for host in range(1, 25):
        add("2001:db8:%x::%x" % (host % 4 + 2, host), "2001:db8:ffff::%x" % (host * 257), UDP,
            udp(2000 + host, 3000 + 100 * host, noise(3 * host, "six %d" % host)))
    frames.append(a_to_b(ETH_IPV4, plain_ip()[0][1]))
    return pcap(spaced(frames), LINKTYPE_ETHERNET)


# ---- the same datagrams on other links ----


@capture("raw.pcap")
def raw():
    """LINKTYPE_RAW: IPv4 and IPv6 without a link-layer header."""
    return pcap(spaced([datagram for _, datagram in plain_ip()]), LINKTYPE_RAW)


@capture("null.pcap")
def null():
    """LINKTYPE_NULL: the address family in the byte order of the host that captured, here little."""
    return pcap(spaced([struct.pack("<I", 2 if kind == ETH_IPV4 else 30) + datagram
                        for kind, datagram in plain_ip()]), LINKTYPE_NULL)


@capture("null-be.pcap")
def null_be():
    """LINKTYPE_NULL of a big-endian host: libpcap tells by the file's own byte order."""
    return pcap(spaced([struct.pack(">I", 2 if kind == ETH_IPV4 else 10) + datagram
                        for kind, datagram in plain_ip()]), LINKTYPE_NULL, order=">")


@capture("loop.pcap")
def loop():
    """LINKTYPE_LOOP: the address family in network byte order."""
    return pcap(spaced([struct.pack(">I", 2 if kind == ETH_IPV4 else 24) + datagram
                        for kind, datagram in plain_ip()]), LINKTYPE_LOOP)


@capture("ppp.pcap")
def ppp_link():
    """LINKTYPE_PPP: LCP, IPCP, IPv4, IPv6, and a few protocols of old."""
    frames = [ppp(0xC021, b"\x01\x01\0\x04", True), ppp(0x8021, b"\x01\x01\0\x04", True)]
    frames += [ppp(0x0021 if kind == ETH_IPV4 else 0x0057, datagram, True) for kind, datagram in plain_ip()]
    frames += [ppp(protocol, noise(30, "ppp %d" % protocol), True)
               for protocol in (0x0023, 0x0027, 0x0029, 0x002B, 0x002D, 0x002F, 0x00FD)]
    return pcap(spaced(frames), LINKTYPE_PPP)


@capture("slip.pcap")
def slip():
    """LINKTYPE_SLIP: 16 bytes of direction and compression before the datagram."""
    return pcap(spaced([bytes([i % 2]) + b"\x40" + datagram[:14] + datagram
                        for i, (_, datagram) in enumerate(plain_ip())]), LINKTYPE_SLIP)


@capture("chdlc.pcap")
def chdlc():
    """LINKTYPE_C_HDLC: Cisco's HDLC, unicast, and its keepalives, broadcast."""
    frames = [struct.pack(">BBH", 0x0F, 0, kind) + datagram for kind, datagram in plain_ip()]
    frames += [struct.pack(">BBH", 0x8F, 0, 0x8035) + bytes([0, 0, 0, 2]) + noise(14, "slarp")]
    frames += [struct.pack(">BBH", 0x0F, 0, 0xFEFE) + b"\x03" + b"\x83\x1b\x01\0\x11\x01\0\0" + bytes(20)]
    return pcap(spaced(frames), LINKTYPE_C_HDLC)


@capture("fddi.pcap")
def fddi_ring():
    """LINKTYPE_FDDI: SNAP and LLC behind FDDI's header."""
    frames = [fddi(B_MAC, A_MAC, snap(0, kind, datagram)) for kind, datagram in plain_ip()]
    frames += [fddi(BROADCAST, A_MAC, snap(0, ETH_ARP, WHO_HAS)),
               fddi("01:80:c2:00:00:14", A_MAC, isis(16)),
               fddi("01:80:c2:00:00:00", A_MAC, llc(0x42, 0x42, 0x03, bytes(35))),
               fddi(B_MAC, A_MAC, bytes(8), frame_control=0x41)]
    return pcap(spaced(frames), LINKTYPE_FDDI)


@capture("token-ring.pcap")
def ring():
    """LINKTYPE_IEEE802_5: SNAP behind token ring's header, with and without source routing."""
    route = b"\x06\x30\0\x11\0\x20"
    frames = [token_ring(B_MAC, A_MAC, snap(0, kind, datagram), route if i % 3 == 0 else b"")
              for i, (kind, datagram) in enumerate(plain_ip())]
    frames += [token_ring(BROADCAST, A_MAC, snap(0, ETH_ARP, WHO_HAS)),
               token_ring("03:00:00:00:80:00", A_MAC, llc(0x42, 0x42, 0x03, bytes(35))),
               token_ring(B_MAC, A_MAC, llc(0xF0, 0xF0, 0x03, bytes(40)))]
    return pcap(spaced(frames), LINKTYPE_IEEE802_5)


@capture("sll.pcap")
def cooked():
    """LINKTYPE_LINUX_SLL: packets to us, broadcast, multicast, others' and our own."""
    frames = [sll((0, 4, 0, 4, 3, 4, 0, 2, 4, 0, 4, 2)[i], kind, datagram)
              for i, (kind, datagram) in enumerate(plain_ip())]
    frames += [sll(1, ETH_ARP, WHO_HAS, src=A_MAC),
               sll(0, ETH_VLAN, vlan(100, ETH_IPV4, plain_ip()[0][1])),
               sll(0, 0x0004, llc(0x42, 0x42, 0x03, bytes(35))),
               sll(0, 0x0001, ipx()),
               sll(4, ETH_IPV4, plain_ip()[5][1], hatype=772)]
    return pcap(spaced(frames), LINKTYPE_LINUX_SLL)


@capture("sll2.pcap")
def cooked2():
    """LINKTYPE_LINUX_SLL2: the same with the number of the interface."""
    frames = [sll2((0, 4, 0, 4, 3, 4, 0, 2, 4, 0, 4, 2)[i], kind, datagram, ifindex=2 + i % 3)
              for i, (kind, datagram) in enumerate(plain_ip())]
    frames += [sll2(1, ETH_ARP, WHO_HAS, src=A_MAC),
               sll2(0, ETH_VLAN, vlan(100, ETH_IPV4, plain_ip()[0][1]), ifindex=7),
               sll2(0, 0x0004, llc(0x42, 0x42, 0x03, bytes(35))),
               sll2(4, ETH_IPV4, plain_ip()[5][1], ifindex=1, hatype=772)]
    return pcap(spaced(frames), LINKTYPE_LINUX_SLL2)


def wireless():
    """802.11 frames of every type, three of its four addresses, data in all directions."""
    station, access, peer, far = A_MAC, ROUTER_MAC, "02:00:5e:10:00:02", B_MAC
    frames = [wlan(0, subtype, BROADCAST if subtype in (4, 8) else station, access, access,
                   body=noise(20 + subtype, "mgt %d" % subtype))
              for subtype in (0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12)]
    frames += [wlan(1, subtype, access, station) for subtype in (10, 11, 14, 15)]
    frames += [wlan(1, subtype, station) for subtype in (12, 13)]
    for i, (kind, datagram) in enumerate(plain_ip()):
        body = snap(0, kind, datagram)
        qos = 5 if i % 2 == 0 else None
        frames.append(wlan(2, 8 if qos is not None else 0, access, station, far, ds=1, qos=qos, body=body))
        frames.append(wlan(2, 8 if qos is not None else 0, station, access, far, ds=2, qos=qos, body=body))
    body = snap(0, ETH_IPV4, plain_ip()[3][1])
    frames.append(wlan(2, 0, station, far, access, ds=0, body=body))
    frames.append(wlan(2, 0, access, peer, far, station, ds=3, body=body))
    frames.append(wlan(2, 8, access, peer, far, station, ds=3, qos=0, body=body))
    frames.append(wlan(2, 0, BROADCAST, access, far, ds=2, body=snap(
        0, ETH_ARP, WHO_HAS)))
    frames += [wlan(2, subtype, access, station, far, ds=1, qos=0 if subtype >= 8 else None)
               for subtype in (4, 5, 6, 7, 12, 14, 15)]
    frames += [wlan(2, subtype, access, station, far, ds=1, qos=0 if subtype >= 8 else None, body=body)
               for subtype in (1, 2, 3, 9, 10, 11)]
    protected = wlan(2, 8, access, station, far, ds=1, qos=0, body=noise(60, "ccmp"))
    frames.append(protected[:1] + bytes([protected[1] | 0x40]) + protected[2:])
    return frames


@capture("wlan.pcap")
def wlan_link():
    """LINKTYPE_IEEE802_11: management, control and data frames, all subtypes, all directions."""
    return pcap(spaced(wireless()), LINKTYPE_IEEE802_11)


@capture("radiotap.pcap")
def radiotap_link():
    """LINKTYPE_IEEE802_11_RADIOTAP: the same behind radio headers of three lengths."""
    headers = [(b"", 0), (b"\0\x0c\x85\x09\xc0\0", 0x0000000E),
               (noise(8, "tsft") + b"\0\x0c\x85\x09\xc0\0\xd3\0", 0x0000002F)]
    return pcap(spaced([radiotap(frame, *headers[i % 3]) for i, frame in enumerate(wireless())]),
                LINKTYPE_RADIOTAP)


@capture("pflog.pcap")
def pf():
    """LINKTYPE_PFLOG: what OpenBSD's packet filter logs: interface, rule, reason, action, direction."""
    frames = []
    for i, (kind, datagram) in enumerate(plain_ip()):
        frames.append(struct.pack(
            ">BBBB16s16sIIIiIiB3x", 61, 2 if kind == ETH_IPV4 else 24, i % 3, i % 6,
            b"em0" if i % 2 else b"pppoe0", b"relayd" if i % 4 == 1 else b"", i, 2 * i, 0, 0, 0, 0,
            1 + i % 2) + datagram)
    return pcap(spaced(frames), LINKTYPE_PFLOG)


@capture("sunatm.pcap")
def atm():
    """LINKTYPE_SUNATM: LLC and LANE over ATM, signalling, meta signalling, OAM cells."""
    def cell(kind, vpi, vci, payload):
        return struct.pack(">BBH", kind, vpi, vci) + payload

    frames = [cell(2, i % 2, 100 + i, snap(0, kind, datagram))
              for i, (kind, datagram) in enumerate(plain_ip())]
    frames += [cell(1, 0, 200 + i, b"\0\x05" + a_to_b(kind, datagram))
               for i, (kind, datagram) in enumerate(plain_ip())]
    frames += [cell(1, 0, 220, b"\xff\0" + noise(40, "le control"))]
    frames += [cell(6, 0, vci, b"\x09\x03\0\0\x01" + bytes([message]) + noise(20, "q2931 %d" % message))
               for vci in (1, 5) for message in (0x02, 0x05, 0x07, 0x0F, 0x4D, 0x5A, 0x7D)]
    frames += [cell(0, 0, vci, noise(48, "cell %d" % vci)) for vci in (2, 3, 4, 16)]
    return pcap(spaced(frames), LINKTYPE_SUNATM)


@capture("mtp2.pcap")
def ss7():
    """LINKTYPE_MTP2: fill-in, link status and message signal units of SS7."""
    def unit(indicator, sio=0, opc=0, dpc=0, sls=0):
        label = struct.pack("<I", sls << 28 | opc << 14 | dpc)
        return bytes([0x80, 0x81, indicator]) + (bytes([sio]) + label + noise(20, "msu") if indicator > 2
                                                 else bytes([sio] * indicator))

    frames = [unit(0), unit(0), unit(1, 1), unit(2, 3)]
    frames += [unit(28, 0x83 if i % 2 else 0x85, 100 + i, 8000 + i % 3, i) for i in range(8)]
    return pcap(spaced(frames), LINKTYPE_MTP2)


# ---- variants of the files ----


def variety():
    """Short and long packets, the three shortest first; microseconds would lose digits of the time."""
    frames = [ether(BROADCAST, A_MAC, ETH_ARP, WHO_HAS)[:42],
              ether(A_MAC, B_MAC, ETH_ARP, arp(2, B_MAC, B_IP, A_MAC, A_IP))[:42],
              a_to_b(ETH_IPV4, ipv4(A_IP, B_IP, UDP, udp(1024, 53, b"abc")))[:45]]
    frames += [a_to_b(kind, datagram) for kind, datagram in plain_ip()]
    frames.append(a_to_b(ETH_VLAN, vlan(100, ETH_IPV4, plain_ip()[2][1])))
    frames.append(a_to_b(ETH_IPV4, ipv4(FAR_IP, A_IP, TCP, tcp(80, 1025, "PA", noise(1400, "page")))))
    return spaced(frames)


@capture("pcap-le.pcap")
def pcap_le():
    """pcap, little-endian, microseconds."""
    return pcap(variety(), LINKTYPE_ETHERNET)


@capture("pcap-be.pcap")
def pcap_be():
    """pcap, big-endian, microseconds."""
    return pcap(variety(), LINKTYPE_ETHERNET, order=">")


@capture("pcap-le-ns.pcap")
def pcap_le_ns():
    """pcap, little-endian, nanoseconds."""
    return pcap(variety(), LINKTYPE_ETHERNET, magic=PCAP_NANO)


@capture("pcap-be-ns.pcap")
def pcap_be_ns():
    """pcap, big-endian, nanoseconds."""
    return pcap(variety(), LINKTYPE_ETHERNET, order=">", magic=PCAP_NANO)


@capture("pcap-kuznetzov.pcap")
def pcap_kuznetzov():
    """pcap in Alexey Kuznetzov's variant, with 8 more bytes in each record's header."""
    return pcap(variety(), LINKTYPE_ETHERNET, magic=PCAP_KUZNETZOV)


@capture("pcap-v2.3.pcap")
def pcap_old():
    """pcap of version 2.3, which wrote a record's two lengths the other way round."""
    cut = [packet(p.time_ns, p.data[:60], len(p.data)) for p in variety()]
    return pcap(cut, LINKTYPE_ETHERNET, version=(2, 3), snaplen=60)


@capture("pcap-fcs.pcap")
def pcap_fcs():
    """pcap whose link type says, in its upper bits, that frames end in 4 bytes of FCS; zone not 0."""
    packets = [packet(p.time_ns, p.data + noise(4, "fcs")) for p in variety()]
    return pcap(packets, 0x24000000 | LINKTYPE_ETHERNET, zone=3600, snaplen=0)


@capture("pcap-over-snaplen.pcap")
def pcap_over_snaplen():
    """pcap with records longer than the file's snap length: libpcap cuts them to it."""
    return pcap(variety(), LINKTYPE_ETHERNET, snaplen=48)


@capture("truncated.pcap")
def truncated():
    """Packets of which fewer bytes were captured than were on the wire, at every length from 0 to 80."""
    whole = a_to_b(ETH_IPV4, ipv4(A_IP, FAR_IP, TCP, tcp(1025, 80, "PA", noise(60, "cut"))))
    six = a_to_b(ETH_IPV6, plain_ip()[10][1])
    packets = [packet(EPOCH_NS + i * STEP_NS, (whole, six)[i % 2][:i // 2], len((whole, six)[i % 2]))
               for i in range(2 * 81)]
    return pcap(packets, LINKTYPE_ETHERNET, snaplen=80)


@capture("zero-length.pcap")
def zero_length():
    """Packets of length 0 among others, and one said to be shorter than what was captured of it."""
    packets = []
    for i, p in enumerate(variety()):
        packets += [packet(p.time_ns - 2, b""), packet(p.time_ns - 1, b"", 60), p]
    packets.append(packet(packets[-1].time_ns, packets[-1].data, 20))
    return pcap(packets, LINKTYPE_ETHERNET)


@capture("no-packets.pcap")
def no_packets():
    """A savefile without packets: there is nothing to keep."""
    return pcap([], LINKTYPE_ETHERNET)


@capture("ng-le.pcapng")
def ng_le():
    """pcapng, little-endian, one interface, microseconds by default."""
    return pcapng(variety(), LINKTYPE_ETHERNET)


@capture("ng-be.pcapng")
def ng_be():
    """pcapng, big-endian, one interface, microseconds by default."""
    return pcapng(variety(), LINKTYPE_ETHERNET, order=">")


@capture("ng-le-ns.pcapng")
def ng_le_ns():
    """pcapng, little-endian, nanoseconds."""
    return pcapng(variety(), LINKTYPE_ETHERNET, digits=9)


@capture("ng-be-ns.pcapng")
def ng_be_ns():
    """pcapng, big-endian, nanoseconds."""
    return pcapng(variety(), LINKTYPE_ETHERNET, order=">", digits=9)


@capture("ng-ms.pcapng")
def ng_ms():
    """pcapng with milliseconds: less than what a savefile can say."""
    return pcapng(variety(), LINKTYPE_ETHERNET, digits=3)


@capture("ng-two-interfaces.pcapng")
def ng_two():
    """pcapng with two interfaces of one link type and resolution."""
    return pcapng(variety(), LINKTYPE_ETHERNET, n_interfaces=2)


@capture("ng-two-interfaces-ns.pcapng")
def ng_two_ns():
    """pcapng with two interfaces of one link type, both with nanoseconds, big-endian."""
    return pcapng(variety(), LINKTYPE_ETHERNET, order=">", digits=9, n_interfaces=2)


@capture("ng-blocks.pcapng")
def ng_blocks():
    """pcapng with every kind of packet block, blocks to be skipped, options, and a second section."""
    order = "<"
    packets = variety()
    out = [pcapng_section(order, pcapng_option(order, 4, b"generate.py") + pcapng_option(order, 0, b"")),
           pcapng_interface(order, LINKTYPE_ETHERNET, options=pcapng_option(order, 2, b"eth0")
                            + pcapng_option(order, 0, b"")),
           pcapng_block(order, 4, struct.pack(order + "HH", 1, 8) + ip(A_IP) + b"a.x\0" + bytes(4))]
    for i, p in enumerate(packets[:9]):
        if i % 3 == 0:
            out.append(pcapng_enhanced(order, p, options=pcapng_option(order, 1, b"a comment")
                                       + pcapng_option(order, 2, struct.pack(order + "I", 1 + i % 2))
                                       + pcapng_option(order, 0, b"")))
        else:
            out.append(pcapng_simple(order, p) if i % 3 == 1 else pcapng_old(order, p))
        if i % 4 == 0:
            out.append(pcapng_block(order, 0x0BAD, noise(10, "unknown %d" % i)))
    out.append(pcapng_block(order, 5, struct.pack(order + "III", 0, 0, 0)))
    out.append(pcapng_section(order))
    out.append(pcapng_interface(order, LINKTYPE_ETHERNET))
    out += [pcapng_enhanced(order, p) for p in packets[9:]]
    return b"".join(out)


def main(arguments):
    if arguments == ["--list"]:
        for name, function in CAPTURES:
            print("%-28s %s" % (name, function.__doc__))
        return 0
    if len(arguments) > 1 or any(a.startswith("-") for a in arguments):
        sys.stderr.write("usage: generate.py [FOLDER | --list]\n")
        return 2
    folder = arguments[0] if arguments else os.path.dirname(os.path.abspath(__file__))
    for name, function in CAPTURES:
        with open(os.path.join(folder, name), "wb") as out:
            out.write(function())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
