# SPDX-License-Identifier: BSD-2-Clause
"""The bytes of headers and of savefiles, for generate.py.

Each header function returns its header followed by its payload, so that a
frame reads from the outside in:

    ether(DST, SRC, ETH_IPV4, ipv4("10.0.0.1", "10.0.0.2", TCP, tcp(1025, 80, "S")))

Addresses are written as text.  ipv4() and ipv6() fill in the checksums of the
TCP, UDP, ICMP and ICMPv6 that they carry whole.  SCTP's CRC32c, and the
checksums of what is inside of a fragment, are left 0: no filter looks at them.

Only the standard library is used, and nothing that depends on time, host or
version of Python: the same bytes come out everywhere.
"""

import hashlib
import ipaddress
import struct
from collections import namedtuple

# ---- numbers ----

ETH_IPV4, ETH_ARP, ETH_RARP, ETH_IPV6 = 0x0800, 0x0806, 0x8035, 0x86DD
ETH_VLAN, ETH_QINQ, ETH_QINQ_OLD = 0x8100, 0x88A8, 0x9100
ETH_MPLS, ETH_MPLS_MC, ETH_PPPOED, ETH_PPPOES = 0x8847, 0x8848, 0x8863, 0x8864
ETH_MOPDL, ETH_MOPRC, ETH_DECNET, ETH_LAT = 0x6001, 0x6002, 0x6003, 0x6004
ETH_ATALK, ETH_AARP, ETH_IPX, ETH_LOOP = 0x809B, 0x80F3, 0x8137, 0x9000
ETH_LLDP, ETH_BRIDGE = 0x88CC, 0x6558

ICMP, IGMP, IPIP, TCP, IGRP, UDP = 1, 2, 4, 6, 9, 17
IPV6, GRE, ESP, AH, ICMP6, PIM, VRRP, SCTP = 41, 47, 50, 51, 58, 103, 112, 132
HOP_BY_HOP, ROUTING, FRAGMENT, NO_NEXT, DST_OPTS = 0, 43, 44, 59, 60

BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return ipaddress.ip_address(text).packed


def noise(n, label):
    """n bytes that look random, the same for the same label."""
    return hashlib.shake_256(label.encode()).digest(n)


def checksum(data):
    """RFC 1071: the one's complement of the one's complement sum."""
    total = sum(struct.unpack(">%dH" % ((len(data) + 1) // 2), data + bytes(len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


# ---- link layers ----


def ether(dst, src, ethertype, payload):
    """Ethernet II, padded to the shortest frame there is (FCS not counted)."""
    return (mac(dst) + mac(src) + struct.pack(">H", ethertype) + payload).ljust(60, b"\0")


def ieee802_3(dst, src, payload):
    """Ethernet with a length in place of a type."""
    return (mac(dst) + mac(src) + struct.pack(">H", len(payload)) + payload).ljust(60, b"\0")


def vlan(vid, ethertype, payload, priority=0):
    """What follows the ethertype of a tag: 3 bits priority, 1 DEI, 12 VLAN id."""
    return struct.pack(">HH", priority << 13 | vid, ethertype) + payload


def mpls(labels, payload, ttl=64):
    """A label stack: 20 bits label, 3 traffic class, 1 bottom of stack, 8 TTL."""
    last = len(labels) - 1
    stack = (label << 12 | (i == last) << 8 | ttl for i, label in enumerate(labels))
    return b"".join(struct.pack(">I", entry) for entry in stack) + payload


def pppoe(code, session, payload):
    return struct.pack(">BBHH", 0x11, code, session, len(payload)) + payload


def ppp(protocol, payload, framed=False):
    """framed: with the address and control bytes of HDLC-like framing."""
    return (b"\xff\x03" if framed else b"") + struct.pack(">H", protocol) + payload


def llc(dsap, ssap, control, payload=b""):
    """control: one byte for unnumbered frames, two for the others (>= 0x100)."""
    return struct.pack(">BB", dsap, ssap) + (
        struct.pack(">H", control) if control >= 0x100 else bytes([control])) + payload


def snap(oui, pid, payload):
    return llc(0xAA, 0xAA, 0x03, oui.to_bytes(3, "big") + struct.pack(">H", pid) + payload)


def fddi(dst, src, payload, frame_control=0x50):
    return bytes([frame_control]) + mac(dst) + mac(src) + payload


def token_ring(dst, src, payload, route=b"", frame_control=0x40):
    """route: routing information field; its presence is a bit of src."""
    src = bytes([mac(src)[0] | (0x80 if route else 0)]) + mac(src)[1:]
    return bytes([0x10, frame_control]) + mac(dst) + src + route + payload


def sll(packet_type, protocol, payload, src="02:00:5e:00:00:01", hatype=1):
    """Linux cooked capture: packet type 0 to us, 1 broadcast, 2 multicast, 3 other, 4 sent."""
    return struct.pack(">HHH8sH", packet_type, hatype, 6, mac(src) + b"\0\0", protocol) + payload


def sll2(packet_type, protocol, payload, ifindex=2, src="02:00:5e:00:00:01", hatype=1):
    return struct.pack(">HHIHBB8s", protocol, 0, ifindex, hatype, packet_type, 6,
                       mac(src) + b"\0\0") + payload


def wlan(kind, subtype, addr1, addr2=None, addr3=None, addr4=None, ds=0, qos=None, body=b""):
    """IEEE 802.11: kind 0 management, 1 control, 2 data; ds 0 none, 1 to, 2 from, 3 both."""
    control = bytes([subtype << 4 | kind << 2, ds])
    addresses = mac(addr1) + (mac(addr2) if addr2 else b"")
    if kind == 1:
        return control + b"\x2c\x00" + addresses + body
    return (control + b"\x2c\x00" + addresses + mac(addr3) + b"\x10\x02"
            + (mac(addr4) if addr4 else b"")
            + (struct.pack("<H", qos) if qos is not None else b"") + body)


def radiotap(frame, fields=b"", present=0):
    return struct.pack("<BBHI", 0, 0, 8 + len(fields), present) + fields + frame


# ---- network layers ----


def arp(operation, sender_mac, sender_ip, target_mac, target_ip):
    return (struct.pack(">HHBBH", 1, ETH_IPV4, 6, 4, operation)
            + mac(sender_mac) + ip(sender_ip) + mac(target_mac) + ip(target_ip))


CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}


def fill_checksum(protocol, pseudo_header, segment):
    at = CHECKSUM_AT.get(protocol)
    if at is None or len(segment) < at + 2:
        return segment
    covered = segment if protocol == ICMP else pseudo_header + segment
    value = checksum(covered) or 0xFFFF
    return segment[:at] + struct.pack(">H", value) + segment[at + 2:]


def ipv4(src, dst, protocol, payload, ttl=64, ident=0, options=b"", dont_fragment=True,
         fragment=None, tos=0):
    """fragment: (offset in bytes, more to come), of a payload that is one already."""
    if fragment is None:
        flags = 0x4000 if dont_fragment else 0
        pseudo = ip(src) + ip(dst) + struct.pack(">BBH", 0, protocol, len(payload))
        payload = fill_checksum(protocol, pseudo, payload)
    else:
        flags = fragment[0] // 8 | (0x2000 if fragment[1] else 0)
    options = options.ljust((len(options) + 3) // 4 * 4, b"\0")
    words = 5 + len(options) // 4
    fixed = struct.pack(">BBHHHBB", 0x40 | words, tos, 4 * words + len(payload), ident, flags,
                        ttl, protocol)
    addresses = ip(src) + ip(dst) + options
    return fixed + struct.pack(">H", checksum(fixed + b"\0\0" + addresses)) + addresses + payload


def ipv6(src, dst, next_header, payload, hop_limit=64, traffic_class=0, upper=None):
    """upper: (protocol, offset in payload), where extension headers come first."""
    protocol, at = upper or (next_header, 0)
    pseudo = ip(src) + ip(dst) + struct.pack(">II", len(payload) - at, protocol)
    payload = payload[:at] + fill_checksum(protocol, pseudo, payload[at:])
    return struct.pack(">IHBB", 6 << 28 | traffic_class << 20, len(payload), next_header,
                       hop_limit) + ip(src) + ip(dst) + payload


def ipv6_options(next_header, payload, options=b"\x01\x04\0\0\0\0"):
    """Hop-by-hop or destination options, in units of 8 bytes."""
    return bytes([next_header, (len(options) + 2) // 8 - 1]) + options + payload


def ipv6_routing(next_header, payload, hops):
    return struct.pack(">BBBBI", next_header, 2 * len(hops), 0, len(hops), 0) + b"".join(
        ip(hop) for hop in hops) + payload


def ipv6_fragment(next_header, payload, offset, more, ident):
    return struct.pack(">BBHI", next_header, 0, offset | more, ident) + payload


# ---- what IP carries ----

TCP_FLAGS = {"F": 0x01, "S": 0x02, "R": 0x04, "P": 0x08, "A": 0x10, "U": 0x20, "E": 0x40, "C": 0x80}


def tcp(sport, dport, flags, payload=b"", seq=0, ack=0, window=64240, options=b""):
    words = 5 + len(options) // 4
    return struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, words << 4,
                       sum(TCP_FLAGS[f] for f in flags), window, 0, 0) + options + payload


def udp(sport, dport, payload=b""):
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def sctp(sport, dport, tag, chunk_type, payload=b""):
    return struct.pack(">HHII", sport, dport, tag, 0) + struct.pack(
        ">BBH", chunk_type, 0, 4 + len(payload)) + payload


def icmp(kind, code=0, rest=bytes(4), payload=b""):
    """ICMP and ICMPv6: both begin with type, code and checksum."""
    return struct.pack(">BBH", kind, code, 0) + rest + payload


def echo(kind, ident, seq, size=48):
    return icmp(kind, 0, struct.pack(">HH", ident, seq), bytes(range(0x10, 0x10 + size)))


def igmp(kind, group, code=0):
    message = struct.pack(">BBH", kind, code, 0) + ip(group)
    return message[:2] + struct.pack(">H", checksum(message)) + message[4:]


def pim(kind, payload=b""):
    message = struct.pack(">BBH", 0x20 | kind, 0, 0) + payload
    return message[:2] + struct.pack(">H", checksum(message)) + message[4:]


def vrrp(router, priority, address):
    message = struct.pack(">BBBBBBH", 0x21, router, priority, 1, 0, 1, 0) + ip(address)
    return message[:6] + struct.pack(">H", checksum(message)) + message[8:]


def ah(next_header, spi, seq, payload):
    return struct.pack(">BBHII", next_header, 4, 0, spi, seq) + noise(12, "icv %d" % seq) + payload


def esp(spi, seq, size):
    return struct.pack(">II", spi, seq) + noise(size, "esp %d %d" % (spi, seq))


def gre(protocol, payload):
    return struct.pack(">HH", 0, protocol) + payload


def geneve(vni, protocol, payload, options=b""):
    return struct.pack(">BBHI", len(options) // 4, 0, protocol, vni << 8) + options + payload


def vxlan(vni, frame):
    return struct.pack(">II", 0x08000000, vni << 8) + frame


# ---- applications ----


def dns_name(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"


def dns(ident, name, answer=None, kind=1):
    """A query, or where there is an answer (an address) the response to it."""
    flags, n_answers = (0x8180, 1) if answer else (0x0100, 0)
    message = struct.pack(">HHHHHH", ident, flags, 1, n_answers, 0, 0) + dns_name(name)
    message += struct.pack(">HH", kind, 1)
    if answer:
        message += struct.pack(">HHHIH", 0xC00C, kind, 1, 300, len(ip(answer))) + ip(answer)
    return message


def dhcp(kind, transaction, client_mac, yours="0.0.0.0", options=b""):
    """kind 1 discover, 2 offer, 3 request, 5 acknowledge."""
    head = struct.pack(">BBBBIHH", 1 if kind in (1, 3) else 2, 1, 6, 0, transaction, 0, 0)
    return (head + ip("0.0.0.0") + ip(yours) + bytes(8) + mac(client_mac) + bytes(10 + 64 + 128)
            + b"\x63\x82\x53\x63" + bytes([53, 1, kind]) + options + b"\xff")


# ---- savefiles ----

Packet = namedtuple("Packet", "time_ns data wirelen")


def packet(time_ns, data, wirelen=None):
    """wirelen: where the capture cut the packet short."""
    return Packet(time_ns, data, len(data) if wirelen is None else wirelen)


PCAP_MICRO, PCAP_NANO, PCAP_KUZNETZOV = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34


def pcap(packets, linktype, order="<", magic=PCAP_MICRO, snaplen=262144, version=(2, 4), zone=0):
    """A pcap savefile; order is that of struct: '<' little-endian, '>' big-endian.

    Version 2.3 and older wrote the two lengths the other way round.  Alexey
    Kuznetzov's variant, once common on Linux, has longer record headers.
    """
    out = [struct.pack(order + "IHHIIII", magic, version[0], version[1], zone, 0, snaplen, linktype)]
    unit = 1 if magic == PCAP_NANO else 1000
    for p in packets:
        lengths = (len(p.data), p.wirelen) if version >= (2, 4) else (p.wirelen, len(p.data))
        out.append(struct.pack(order + "IIII", p.time_ns // 10**9, p.time_ns % 10**9 // unit, *lengths))
        if magic == PCAP_KUZNETZOV:
            out.append(struct.pack(order + "IHBB", 1, 0, 0, 0))
        out.append(p.data)
    return b"".join(out)


def pcapng_option(order, code, value):
    return struct.pack(order + "HH", code, len(value)) + value.ljust((len(value) + 3) // 4 * 4, b"\0")


def pcapng_block(order, kind, body):
    body = body.ljust((len(body) + 3) // 4 * 4, b"\0")
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def pcapng_section(order, options=b""):
    return pcapng_block(order, 0x0A0D0D0A,
                        struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def pcapng_interface(order, linktype, snaplen=262144, options=b""):
    return pcapng_block(order, 1, struct.pack(order + "HHI", linktype, 0, snaplen) + options)


def pcapng_enhanced(order, p, interface=0, digits=6, options=b""):
    """An enhanced packet block; digits: of the interface's time stamps after the point."""
    ticks = p.time_ns // 10 ** (9 - digits)
    head = struct.pack(order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(p.data),
                       p.wirelen)
    data = p.data.ljust((len(p.data) + 3) // 4 * 4, b"\0")
    return pcapng_block(order, 6, head + data + options)


def pcapng_old(order, p, interface=0, digits=6):
    """An obsolete packet block (type 2): a 16-bit interface and a drop count."""
    ticks = p.time_ns // 10 ** (9 - digits)
    return pcapng_block(order, 2, struct.pack(
        order + "HHIIII", interface, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(p.data), p.wirelen)
        + p.data)


def pcapng_simple(order, p):
    """A simple packet block: no interface, no time."""
    return pcapng_block(order, 3, struct.pack(order + "I", p.wirelen) + p.data)


def pcapng_resolution(order, digits):
    """if_tsresol"""
    return pcapng_option(order, 9, bytes([digits]))


def pcapng(packets, linktype, order="<", digits=6, n_interfaces=1):
    """A pcapng savefile of one section, its packets dealt to the interfaces in turn."""
    options = b"" if digits == 6 else pcapng_resolution(order, digits) + pcapng_option(order, 0, b"")
    out = [pcapng_section(order)]
    out += [pcapng_interface(order, linktype, options=options)] * n_interfaces
    out += [pcapng_enhanced(order, p, i % n_interfaces, digits) for i, p in enumerate(packets)]
    return b"".join(out)
