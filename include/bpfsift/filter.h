/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Packets: views of them, filters over them, where they come from and go to.
 *
 * Link types are libpcap's DLT_* numbers unless a name says linktype (the
 * LINKTYPE_* of savefiles).  Errors as in ebpf.h.
 */
#ifndef BPFSIFT_FILTER_H
#define BPFSIFT_FILTER_H

#include <bpfsift/cbpf.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- packet views ---- */

/** mac_off or net_off of a view whose packet has no such header. */
#define SIFT_OFF_NONE UINT32_MAX

/* Which metadata of a view have a value: bits of known. */
#define SIFT_KNOWN_PROTOCOL   0x0001u
#define SIFT_KNOWN_PKTTYPE    0x0002u
#define SIFT_KNOWN_IFINDEX    0x0004u
#define SIFT_KNOWN_MARK       0x0008u
#define SIFT_KNOWN_QUEUE      0x0010u
#define SIFT_KNOWN_HATYPE     0x0020u
#define SIFT_KNOWN_RXHASH     0x0040u
#define SIFT_KNOWN_CPU        0x0080u
#define SIFT_KNOWN_VLAN       0x0100u   /**< vlan_tci, vlan_present, vlan_proto */

/**
 * A packet, borrowed: its bytes and what is known about it.
 *
 * Filled by sources, or by sift_view_init() and the caller.  Valid until the
 * source's next batch.  Metadata without a value is 0 and its bit in known is
 * clear.  The layout is frozen: 80 bytes on 64-bit machines; future fields
 * take the place of reserved ones, which are 0.
 */
struct sift_view {
	const uint8_t *data;    /**< captured bytes; NULL only if caplen is 0 */
	uint32_t caplen;        /**< bytes at data, at most INT32_MAX */
	uint32_t wirelen;       /**< bytes on the wire */
	int64_t ts_sec;         /**< seconds since the epoch */
	uint32_t ts_nsec;       /**< and nanoseconds */
	uint32_t mac_off;       /**< link-layer header: offset in data, or SIFT_OFF_NONE */
	uint32_t net_off;       /**< network-layer header: likewise */
	uint32_t known;         /**< SIFT_KNOWN_* */
	uint16_t protocol;      /**< ethertype in host order, as skb->protocol */
	uint8_t pkttype;        /**< 0 to us, 1 broadcast, 2 multicast, 3 to others, 4 outgoing */
	uint8_t vlan_present;   /**< 1: the kernel took a VLAN tag off the frame */
	uint16_t hatype;        /**< ARPHRD_* of the interface */
	uint16_t queue;         /**< receive queue */
	uint32_t ifindex;       /**< interface index */
	uint32_t mark;
	uint32_t rxhash;
	uint32_t cpu;
	uint16_t vlan_tci;      /**< that tag's 16 bits, host order */
	uint16_t vlan_proto;    /**< and its protocol: 0x8100, 0x88a8 */
	uint32_t reserved[2];
};

/**
 * Make a view of a captured frame: lengths as given, time 0, header offsets
 * and whatever metadata the frame itself tells, by its link type.
 *
 * @param view     filled.
 * @param dlt      DLT_* of the frame; an unknown one has no network layer.
 * @param data     caplen bytes; kept until the view's last use.
 * @param caplen   at most INT32_MAX.
 * @param wirelen  bytes on the wire.
 * Thread-safe.
 */
BPFSIFT_API void sift_view_init(struct sift_view *view, int dlt, const uint8_t *data,
				uint32_t caplen, uint32_t wirelen);

/**
 * Where the network layer starts in frames of a link type, where that has an
 * answer that holds for each frame.
 *
 * @param dlt   DLT_*.
 * @param base  filled on success.
 * @return 0; -ENOENT: unknown link type, or one whose headers vary in length.
 * Thread-safe.
 */
BPFSIFT_API int sift_linktype_net_base(int dlt, struct cbpf_net_base *base);

/** The layout of struct sift_view for cbpf_lower(), a constant. */
BPFSIFT_API const struct cbpf_packet_layout *sift_packet_layout(void);

/** The program type whose R1 is a struct sift_view, a constant. */
BPFSIFT_API const struct ebpf_prog_type *sift_prog_type_packet(void);

/* ---- expressions ---- */

/** For sift_expr_compile(): the netmask is not known. */
#define SIFT_NETMASK_UNKNOWN 0xffffffffu

/* Flags of sift_expr_compile(). */
#define SIFT_EXPR_NO_OPTIMIZE 0x1u      /**< leave out libpcap's optimiser, as tcpdump -O */

/**
 * Compile an expression of pcap-filter(7) to classic BPF, with libpcap.
 *
 * The program tests frames as savefiles hold them; check it with the dialect
 * CBPF_DIALECT_PCAP, which allows what 'protochain' needs.
 *
 * @param expr     the expression; NULL or "": a program that accepts all.
 * @param dlt      DLT_* of the frames.
 * @param snaplen  what the program returns for a packet that it accepts: bytes
 *                 to keep, 1 to INT32_MAX; libpcap refuses 0.
 * @param netmask  IPv4 netmask of the interface, network order, which the
 *                 expression 'ip broadcast' asks for; SIFT_NETMASK_UNKNOWN
 *                 makes that an error; 0 makes it match 0.0.0.0 and
 *                 255.255.255.255 alone.
 * @param flags    SIFT_EXPR_*.
 * @param insns    receives an array to be freed with free().
 * @param n_insns  receives its length, at least 1.
 * @param err      receives libpcap's message; may be NULL.
 * @return 0; -EINVAL: refused; -ENOMEM.  On failure the outputs are untouched.
 * Thread-safe from libpcap 1.8 on, as far as the resolver that looks up the
 * names in expr is.
 */
BPFSIFT_API int sift_expr_compile(const char *expr, int dlt, uint32_t snaplen, uint32_t netmask,
				  unsigned flags, struct cbpf_insn **insns, size_t *n_insns,
				  struct ebpf_err *err);

/* ---- filters ---- */

/** A classic program, lowered and ready to run over packet views.  Immutable. */
struct sift_filter;

/** Options of sift_filter_new(); zero is the default of each. */
struct sift_filter_opts {
	size_t size;            /**< sizeof(struct sift_filter_opts) */
	uint64_t random_seed;   /**< of the ancillary load 'random'; a filter's sequence repeats */
};

/**
 * Make a filter of a checked classic program.
 *
 * @param prog  accepted by cbpf_check(); a copy is kept.
 * @param opts  may be NULL.
 * @param out   on success receives the filter, which the caller frees with
 *              sift_filter_free(); on failure left as it was.
 * @param err   receives one line; may be NULL.
 * @return 0; -EINVAL: opts->size is too small; -E2BIG: too long once expanded;
 *         -ENOMEM.  Thread-safe.
 */
BPFSIFT_API int sift_filter_new(const struct cbpf_prog *prog, const struct sift_filter_opts *opts,
				struct sift_filter **out, struct ebpf_err *err);

/** Free a filter that no thread is running.  NULL is fine. */
BPFSIFT_API void sift_filter_free(struct sift_filter *filter);

/**
 * Judge n packets.
 *
 * @param filter    a filter; many threads may run it at once.
 * @param views     n packets; borrowed for the call.
 * @param n         any number.
 * @param verdicts  receives n results: bytes to keep, 0 = drop.
 */
BPFSIFT_API void sift_filter_batch(const struct sift_filter *filter, const struct sift_view *views,
				   size_t n, uint32_t *verdicts);

/** The classic program of a filter, owned by it. */
BPFSIFT_API const struct cbpf_prog *sift_filter_cbpf(const struct sift_filter *filter);

/** The extended program of a filter, owned by it. */
BPFSIFT_API const struct ebpf_prog *sift_filter_ebpf(const struct sift_filter *filter);

#ifdef __cplusplus
}
#endif

#endif
