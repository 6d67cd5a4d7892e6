/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Packets: views of them, filters over them, where they come from and go to.
 *
 * Link types are libpcap's DLT_* numbers unless a name says linktype (the
 * LINKTYPE_* of savefiles).  Errors as in ebpf.h.
 *
 * A library that was configured --without-pcap has the same functions.  Those
 * that take libpcap return -ENOTSUP and say so: sift_expr_compile(),
 * sift_source_open_savefile(), sift_source_open_savefile_opts(),
 * sift_source_open_live(), sift_interfaces_list(), sift_tstamp_types_list().
 * Link types have names and numbers in savefiles, but no descriptions.
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
	uint32_t ts_nsec;       /**< and nanoseconds, less than a second */
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
	/**
	 * Whole seconds that stood in a fraction of a second, as broken writers
	 * leave them; ts_sec is without them.
	 */
	uint32_t ts_excess;
	uint32_t reserved[1];
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
/** The frames come from a savefile: what only the kernel knows, as 'inbound', is refused. */
#define SIFT_EXPR_SAVEFILE    0x2u
/** SIFT_EXPR_SAVEFILE, and the file has the other byte order: some link headers too. */
#define SIFT_EXPR_SWAPPED     0x4u
/**
 * The kernel judges the frames, which takes their outermost VLAN tag off them: an
 * expression with 'vlan' is about frames with the tag back in its place, as a
 * savefile has them.  Of Ethernet alone, and for CBPF_DIALECT_KERNEL.
 */
#define SIFT_EXPR_TAG_APART   0x8u

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
 * @param netmask  IPv4 netmask of the interface as pcap_lookupnet() gives it,
 *                 for the expression 'ip broadcast'; SIFT_NETMASK_UNKNOWN
 *                 makes that an error; with 0 it matches 0.0.0.0 and
 *                 255.255.255.255 alone.
 * @param flags    SIFT_EXPR_*.
 * @param insns    receives an array to be freed with free().
 * @param n_insns  receives its length, at least 1.
 * @param err      receives libpcap's message; may be NULL.
 * @return 0; -EINVAL: refused, by libpcap, or with SIFT_EXPR_TAG_APART since the
 *         program leaves fewer than three scratch slots unused; -ENOMEM.  On failure
 *         the outputs are untouched.
 * Thread-safe from libpcap 1.8 on, as far as the resolver that looks up the
 * names in expr is.
 */
BPFSIFT_API int sift_expr_compile(const char *expr, int dlt, uint32_t snaplen, uint32_t netmask,
				  unsigned flags, struct cbpf_insn **insns, size_t *n_insns,
				  struct ebpf_err *err);

/* ---- filters ---- */

/*
 * In place of libpcap's pcap_offline_filter(), where pcap_compile() has made prog:
 *
 *	cbpf_check((struct cbpf_insn *)prog.bf_insns, prog.bf_len, CBPF_DIALECT_PCAP,
 *		   &checked, &err);
 *	sift_filter_new(checked, NULL, &filter, &err);
 *
 * and for each packet, with the pcap_pkthdr h,
 *
 *	sift_view_init(&view, dlt, data, h->caplen, h->len);
 *	matches = sift_filter_match(filter, &view) != 0;
 *
 * libbpfsift(3) has the whole program.
 */

/** A classic program, lowered and ready to run over packet views; immutable, but replaced. */
struct sift_filter;

/** Options of sift_filter_new(); zero is the default of each. */
struct sift_filter_opts {
	size_t size;            /**< sizeof(struct sift_filter_opts) */
	uint64_t random_seed;   /**< of the ancillary load 'random'; a filter's sequence repeats */
	const struct ebpf_policy *policy;       /**< of the extended program; may be NULL */
	enum cbpf_level level;  /**< of the lowering */
	unsigned flags;         /**< SIFT_FILTER_* */
};

/* Flags of struct sift_filter_opts. */
#define SIFT_FILTER_TELLS_TOO_SHORT 0x1u        /**< for sift_filter_too_short() */
#define SIFT_FILTER_COUNTED         0x2u        /**< runs are, as by ebpf_prog_count() */

/**
 * Make a filter of a checked classic program.
 *
 * @param prog  accepted by cbpf_check(); a copy is kept.
 * @param opts  may be NULL.
 * @param out   on success receives the filter, which the caller frees with
 *              sift_filter_free(); on failure left as it was.
 * @param err   receives one line; may be NULL.
 * @return 0; -EINVAL: opts->size is too small, or no such level or flag; -E2BIG: too long
 *         once expanded; -ENOMEM; what ebpf_prog_load_by() returns for the policy.  Thread-safe.
 */
BPFSIFT_API int sift_filter_new(const struct cbpf_prog *prog, const struct sift_filter_opts *opts,
				struct sift_filter **out, struct ebpf_err *err);

/** Free a filter that no thread is running.  NULL is fine. */
BPFSIFT_API void sift_filter_free(struct sift_filter *filter);

/**
 * Replace a filter while it runs, by changing places: afterwards filter is what `with` was,
 * and `with` what filter was, their programs and counts included.
 *
 * A packet, or a batch, is judged by one of the two as a whole: by the new one where the
 * call that judges it begins after this returns.  Calls that had begun before may go on
 * for a while with what `with` then is; it can be freed, or filled anew, once they have
 * returned, which the caller knows and this does not wait for.  A pipeline's filter can be
 * replaced by any thread; it is done with the old one when its run has ended, or where it
 * has a live source, when between is called next.
 *
 * @param filter  run by any number of threads, which pay nothing for this; several may
 *                replace it at once.
 * @param with    run by no thread, and replaced by none.
 * Thread-safe otherwise.
 */
BPFSIFT_API void sift_filter_replace(struct sift_filter *filter, struct sift_filter *with);

/**
 * Judge one packet, where there is but one: batches cost less for each.
 *
 * @param filter  a filter; many threads may run it at once.
 * @param view    borrowed for the call.
 * @return bytes to keep, 0 = drop.
 */
BPFSIFT_API uint32_t sift_filter_match(const struct sift_filter *filter,
				       const struct sift_view *view);

#if defined(__GNUC__)
/**
 * What a filter begins with, for the lines below and nobody else: its program, which
 * begins with the address that it is entered at.  Both change while it runs, the program
 * when the filter is replaced, the address when runs are counted from then on or no longer.
 */
struct sift_filter_head {
	const struct ebpf_prog *prog;
};

/** Where a caller is compiled with optimisation, a packet costs one call, not two. */
extern inline __attribute__((gnu_inline)) uint32_t
sift_filter_match(const struct sift_filter *filter, const struct sift_view *view)
{
	typedef uint64_t (*entry)(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);
	const struct ebpf_prog *prog = __atomic_load_n(
		&((const struct sift_filter_head *)filter)->prog, __ATOMIC_ACQUIRE);

	return (uint32_t)__atomic_load_n((const entry *)prog, __ATOMIC_RELAXED)(
		prog, (uintptr_t)view, 0);
}
#endif

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

/**
 * Whether a packet did not match since too little of it was captured: a load went past
 * what was, which ends the program with 0, but not past what was on the wire.
 *
 * @param filter  made with SIFT_FILTER_TELLS_TOO_SHORT; else, and of one that draws random
 *                numbers, the answer is 0.
 * @param view    borrowed for the call.
 * @return 1 or 0.
 */
BPFSIFT_API int sift_filter_too_short(const struct sift_filter *filter,
				      const struct sift_view *view);

/** The classic program of a filter, owned by it, or by what it was replaced with. */
BPFSIFT_API const struct cbpf_prog *sift_filter_cbpf(const struct sift_filter *filter);

/** The extended program of a filter, likewise. */
BPFSIFT_API const struct ebpf_prog *sift_filter_ebpf(const struct sift_filter *filter);

/* ---- link types and interfaces, as libpcap knows them ---- */

/**
 * A link type by its name, as "EN10MB".
 *
 * @param name  in upper or lower case.
 * @param dlt   receives the DLT_*.
 * @return 0; -ENOENT: no such name.  Thread-safe.
 */
BPFSIFT_API int sift_linktype_from_name(const char *name, int *dlt);

/** The name of a link type, a constant; NULL: it has none.  Thread-safe. */
BPFSIFT_API const char *sift_linktype_name(int dlt);

/** What a link type is, in words; NULL: unknown, or no libpcap.  A constant.  Thread-safe. */
BPFSIFT_API const char *sift_linktype_description(int dlt);

/** libpcap's version in its own words, or "without libpcap"; a constant. */
BPFSIFT_API const char *sift_libpcap_version(void);

/* Flags of an interface. */
#define SIFT_INTERFACE_UP       0x01u
#define SIFT_INTERFACE_RUNNING  0x02u
#define SIFT_INTERFACE_LOOPBACK 0x04u
#define SIFT_INTERFACE_WIRELESS 0x08u

/** Whether an interface has a carrier, or is associated. */
enum sift_connection {
	SIFT_CONNECTION_UNKNOWN = 0,
	SIFT_CONNECTION_YES = 1,
	SIFT_CONNECTION_NO = 2,
	SIFT_CONNECTION_NOT_APPLICABLE = 3,
};

/** One interface that can be captured from. */
struct sift_interface {
	char *name;
	char *description;      /**< NULL: none */
	unsigned flags;         /**< SIFT_INTERFACE_* */
	enum sift_connection connection;
};

/**
 * List the interfaces that can be captured from, the likeliest first.
 *
 * @param list  receives an array, to be freed with sift_interfaces_free().
 * @param n     receives its length, which may be 0.
 * @param err   receives one line; may be NULL.
 * @return 0; -EIO: libpcap failed; -ENOMEM.  Thread-safe.
 */
BPFSIFT_API int sift_interfaces_list(struct sift_interface **list, size_t *n,
				     struct ebpf_err *err);

/** Free what sift_interfaces_list() gave.  NULL is fine. */
BPFSIFT_API void sift_interfaces_free(struct sift_interface *list, size_t n);

/* ---- sources ---- */

/** How precise time stamps are in a savefile. */
enum sift_precision {
	SIFT_PRECISION_MICRO = 0,
	SIFT_PRECISION_NANO = 1,
};

/** Where packets come from.  Used by one thread, but for sift_source_stop(). */
struct sift_source;

/** Most packets in a batch. */
#define SIFT_BATCH_MAX 256

/** What a source says of its packets. */
struct sift_source_info {
	size_t size;            /**< sizeof(struct sift_source_info) */
	const char *name;       /**< for messages; owned by the source */
	/**
	 * DLT_* of each packet.  With SIFT_READER_MIXED it holds for the last batch, as
	 * expr_flags does; before the first batch, for the file's first interface.
	 */
	int dlt;
	uint32_t linktype_ext;  /**< bits beside the LINKTYPE_* in a savefile's header: FCS */
	/** No packet is longer.  With SIFT_READER_MIXED it may grow from batch to batch. */
	uint32_t snaplen;
	/** What the time stamps carry; a view's are in nanoseconds all the same. */
	enum sift_precision precision;
	/** SIFT_EXPR_* that an expression for these packets is to be compiled with. */
	unsigned expr_flags;
	/** One line that the user should see; owned by the source; NULL: none. */
	const char *warning;
};

/**
 * Open a savefile: pcap or pcapng, of either byte order; or one that is compressed with
 * gzip, zstd, lz4 or xz, which its content tells and a thread of its own decompresses.
 *
 * @param path  the file; "-": standard input.
 * @param out   on success receives the source, to be closed with
 *              sift_source_close(); on failure left as it was.
 * @param err   receives one line that names the file; may be NULL.
 * @return 0; -EINVAL: not a savefile; -ENOTSUP: compressed with what the library was
 *         built without; -E2BIG: more memory to decompress than is allowed; another
 *         negative errno: could not be opened or read; -ENOMEM.  Thread-safe.
 */
BPFSIFT_API int sift_source_open_savefile(const char *path, struct sift_source **out,
					  struct ebpf_err *err);

/* Flags of struct sift_reader_opts. */
#define SIFT_READER_LIBPCAP 0x1u        /**< libpcap reads every record */
/**
 * Read on where a regular file ends, as it grows, until the source is stopped; what
 * waits is handed out within a tenth of a second.
 */
#define SIFT_READER_FOLLOW  0x2u
/**
 * Go on behind damage: with the next record, or pcapng block, that looks like one and has
 * others behind it.  For files of the usual link types whose beginning is sound.
 */
#define SIFT_READER_SALVAGE 0x4u
/**
 * The interfaces and sections of a pcapng file may differ in link type, snapshot length and
 * byte order; else, and in a file that is left to libpcap, that is an error.
 * sift_source_info() then tells of the last batch, in which all is of one kind.
 */
#define SIFT_READER_MIXED   0x8u

/**
 * While a pipeline runs, a regular file that is not compressed may be looked at where the
 * system's cache has it, which spares copying.  If somebody truncates the file meanwhile, who
 * looks gets SIGBUS: the process is to have a handler that calls sift_source_forgive().
 */
#define SIFT_READER_MAPPED  0x10u

/** How a savefile is read; zero is the default of each. */
struct sift_reader_opts {
	size_t size;            /**< sizeof(struct sift_reader_opts) */
	unsigned flags;         /**< SIFT_READER_*; 0: by what is faster for the file */
	uint64_t memlimit;      /**< bytes that a decompressor may need; 0: 512 MiB */
	unsigned threads;       /**< to decompress with, where the file allows it; 0 is 1 */
	/**
	 * With SIFT_READER_SALVAGE, told of each stretch of bytes that was passed over, by
	 * the thread that reads: offset in what is decompressed, and length.  May be NULL.
	 */
	void (*on_skip)(void *arg, const char *name, uint64_t off, uint64_t n_bytes);
	void *on_skip_arg;      /**< its first argument */
	/**
	 * Opens the file for reading where open() would not do: returns a descriptor, which
	 * is then the source's, or a negative errno.  NULL: open().  Not asked for "-".
	 */
	int (*open_file)(void *arg, const char *path);
	void *open_arg;         /**< its first argument */
};

/**
 * Open a savefile, as sift_source_open_savefile() does.
 *
 * @param path  as there.
 * @param opts  NULL: the defaults.
 * @param out   as there.
 * @param err   likewise.
 * @return likewise; -EINVAL: opts too; -ENOTSUP: not a file that is salvaged.  Thread-safe.
 */
BPFSIFT_API int sift_source_open_savefile_opts(const char *path,
					       const struct sift_reader_opts *opts,
					       struct sift_source **out, struct ebpf_err *err);

/**
 * Go on without what a file has lost that is read with SIFT_READER_MAPPED: for a handler of
 * SIGBUS.  The file ends then where it was truncated, as it does for who reads it.
 *
 * @param source  of a pipeline that is running.
 * @param addr    si_addr of the signal.
 * @return 1: it was for its file, and the handler returns; 0: it was not.
 *         Async-signal-safe.
 */
BPFSIFT_API int sift_source_forgive(struct sift_source *source, const void *addr);

/* Flags of struct sift_live_opts. */
#define SIFT_LIVE_NO_PROMISC 0x1u       /**< leave the interface's mode as it is */
#define SIFT_LIVE_NANO       0x2u       /**< time stamps in nanoseconds */
#define SIFT_LIVE_IMMEDIATE  0x4u       /**< packets are delivered as they arrive */
#define SIFT_LIVE_MONITOR    0x8u       /**< monitor mode, of wireless interfaces */
/**
 * Packets are handed out whole, so that filters see all of them, and snaplen is what they
 * are to be cut to by then, as by a pipeline's snaplen.  Not with SIFT_LIVE_IMMEDIATE, where
 * the kernel's buffer has no room for that.
 */
#define SIFT_LIVE_WHOLE      0x10u

/** Which packets of an interface are captured. */
enum sift_direction {
	SIFT_DIRECTION_BOTH = 0,
	SIFT_DIRECTION_IN = 1,
	SIFT_DIRECTION_OUT = 2,
};

/** Options of sift_source_open_live(); zero is the default of each. */
struct sift_live_opts {
	size_t size;            /**< sizeof(struct sift_live_opts) */
	uint32_t snaplen;       /**< bytes to keep of each packet; 0: 262144 */
	/** How long packets may wait to be delivered together; 0: 1000. */
	uint32_t timeout_ms;
	unsigned flags;         /**< SIFT_LIVE_* */
	/** Who makes the time stamps, by libpcap's name, as "adapter"; NULL: the kernel. */
	const char *tstamp_type;
	uint32_t buffer_kib;    /**< the kernel's buffer in units of 1024 bytes; 0: libpcap's */
	enum sift_direction direction;
};

/**
 * Capture from an interface, with libpcap.
 *
 * A VLAN tag that the kernel took off stands in the frame again.
 *
 * @param interface  its name.
 * @param opts       may be NULL.
 * @param out        on success receives the source, which is capturing, to be
 *                   closed with sift_source_close(); on failure left as it was.
 * @param err        receives one line that names the interface; may be NULL.
 * @return 0; -ENODEV: no such interface; -EPERM: not allowed; -ENETDOWN: not
 *         up; -EINVAL: opts, or no such time stamp type; -ENOTSUP: no monitor mode;
 *         -EIO: libpcap failed otherwise; -ENOMEM.
 */
BPFSIFT_API int sift_source_open_live(const char *interface, const struct sift_live_opts *opts,
				      struct sift_source **out, struct ebpf_err *err);

/**
 * Make one source of several, which hands on their packets by time; of packets with
 * the same time, that of the earlier source first.  Each source's own packets stay
 * in the order that they have there.  Where one fails the others are read to their
 * ends, then its error is returned.
 *
 * Where link types differ, or a source was opened with SIFT_READER_MIXED, the merged source
 * is mixed as those are: sift_source_info() tells of the last batch, in which all is of one
 * kind, and SIFT_SAVEFILE_SECTIONS gives each kind an interface.
 *
 * @param sources  n sources that have not been read from.  On success they are the merged
 *                 source's, which closes them.
 * @param n        at least 1.
 * @param out      on success receives the source, to be closed with
 *                 sift_source_close(); on failure left as it was.
 * @param err      receives one line; may be NULL.
 * @return 0; -EINVAL: none, or DLT_NULL with headers of both byte orders; -ENOMEM.
 */
BPFSIFT_API int sift_source_open_merged(struct sift_source *const *sources, size_t n,
					struct sift_source **out, struct ebpf_err *err);

/** A file of a series is no longer, in bytes. */
#define SIFT_SERIES_FILE_MAX 524288

/** Small pcap files, looked at, to be read one after the other as one source. */
struct sift_series;

/**
 * Begin a series, with no files.
 *
 * @param out  on success receives it, to be freed with sift_series_free(); on failure left as
 *             it was.
 * @param err  receives one line; may be NULL.
 * @return 0; -ENOMEM.  Thread-safe.
 */
BPFSIFT_API int sift_series_new(struct sift_series **out, struct ebpf_err *err);

/** Free a series of which no source is open, and close its files.  NULL is fine. */
BPFSIFT_API void sift_series_free(struct sift_series *series);

/**
 * Look at a file and, where it is one for a series, put it behind those that are there.
 *
 * For a series are pcap files that are not compressed, of the usual link types.  Only the
 * file's header is looked at; what is wrong behind it is where sources of the series end.
 *
 * @param path  for messages and sift_source_info(); kept until the series is freed.
 * @param fd    open for reading, at the file's beginning.  The series', which closes it, if 1
 *              is returned; else as it was.
 * @param size  bytes of the file, as stat() tells; by then it may have other ones.
 * @param info  info->size set by the caller; the rest is filled, if 1 is returned.
 * @param err   receives one line; may be NULL.
 * @return 1; 0: it is not for a series, or longer than SIFT_SERIES_FILE_MAX, and nothing of
 *         it was read; -EINVAL: info->size is too small; -ENOMEM.
 */
BPFSIFT_API int sift_series_add(struct sift_series *series, const char *path, int fd,
				uint64_t size, struct sift_source_info *info,
				struct ebpf_err *err);

/**
 * A source of the packets in some of a series' files, one file after the other.
 *
 * It ends in front of a file whose header is not that of the first one, byte by byte, or that
 * is damaged, too long or cannot be read: sift_series_done() tells how far it has come.
 * Opened by itself such a file tells what is wrong.  Files are closed when they are done
 * with.  A pipeline has several threads read them, small as they are.
 *
 * @param series  kept until the source is closed, and nothing added to it till then.
 * @param first   number of the first file, from 0 on.
 * @param n       how many, at least 1; none of them was read before.
 * @param out     on success receives the source, to be closed with sift_source_close(); on
 *                failure left as it was.
 * @param err     receives one line; may be NULL.
 * @return 0; -EINVAL: the series has no such files; -ENOMEM.
 */
BPFSIFT_API int sift_source_open_series(struct sift_series *series, size_t first, size_t n,
					struct sift_source **out, struct ebpf_err *err);

/**
 * How many of its files a source of a series has read to their ends; of a pipeline also
 * between batches.
 */
BPFSIFT_API size_t sift_series_done(const struct sift_source *source);

/** Whether there is a time stamp type of that name, be it that no interface has it. */
BPFSIFT_API int sift_tstamp_type_exists(const char *name);

/**
 * The time stamp types that an interface can have.
 *
 * @param each  called for each, with its name and description, both constants.
 * @param arg   its first argument.
 * @return how many; -ENODEV, -EPERM, -EIO.
 */
BPFSIFT_API int sift_tstamp_types_list(const char *interface,
				       void (*each)(void *arg, const char *name,
						    const char *description),
				       void *arg, struct ebpf_err *err);

/** Close a source and free it, views included.  NULL is fine. */
BPFSIFT_API void sift_source_close(struct sift_source *source);

/**
 * What a source says of its packets.
 *
 * @param info  info->size set by the caller; the rest is filled.
 * @param err   receives one line; may be NULL.
 * @return 0; -EINVAL: info->size is too small.
 */
BPFSIFT_API int sift_source_info(const struct sift_source *source, struct sift_source_info *info,
				 struct ebpf_err *err);

/**
 * The next batch of packets.
 *
 * Before an error come all packets that precede it: the call that returns it
 * is one of its own.
 *
 * @param views  receives the packets, owned by the source and valid until the
 *               next call.
 * @param n      receives their number, at most SIFT_BATCH_MAX; 0: a live
 *               source's time is up and nothing has arrived.
 * @param err    receives one line, for a savefile with its name and the offset
 *               of the damaged record; may be NULL.
 * @return 1: a batch; 0: the end, or sift_source_stop() was called; -EINVAL:
 *         damaged; another negative errno: reading failed; -ENOMEM.  After the
 *         end or an error: 0.
 */
BPFSIFT_API int sift_source_next(struct sift_source *source, const struct sift_view **views,
				 size_t *n, struct ebpf_err *err);

/**
 * Make sift_source_next() return 0 from now on, also where it is waiting.
 * Async-signal-safe, and may be called by any thread.  A reader that waits for
 * a pipe is woken by a signal whose handler was installed without SA_RESTART.
 */
BPFSIFT_API void sift_source_stop(struct sift_source *source);

/**
 * Have the kernel run a filter for a live source, whose packets are from now on those that
 * match.  What was waiting by then is judged by the filter itself, and counts as received
 * only if it matches.  Between two calls of sift_source_next(); another filter takes the
 * place of the one before.
 *
 * The kernel judges packets whole, and cuts them to what the filter's program returns.
 *
 * @param filter  of a program of dialect pcap, an expression's for this source, compiled
 *                as its info says; kept until another takes its place or the source is
 *                closed.
 * @return 0; -ENOTSUP: not a live source, or one of a link type that the kernel sees
 *         otherwise than libpcap (all but Ethernet and raw IP), or not on this system;
 *         -EINVAL: the kernel cannot express it; -E2BIG, -ENOMEM: it is too large there;
 *         -EPERM; another negative errno.  On failure nothing has changed.
 */
BPFSIFT_API int sift_source_attach(struct sift_source *source, const struct sift_filter *filter,
				   struct ebpf_err *err);

/**
 * Make a live source's sift_source_next() return soon, be it with no packets, where it
 * is waiting.  Other sources go on as they are.  Async-signal-safe.
 */
BPFSIFT_API void sift_source_wake(struct sift_source *source);

/**
 * Choose the link type of a live source that has several.
 *
 * @return 0; -EINVAL: not one of its link types, or not a live source.
 */
BPFSIFT_API int sift_source_set_linktype(struct sift_source *source, int dlt,
					 struct ebpf_err *err);

/**
 * The link types that a live source can have.
 *
 * @param dlts  receives an array to be freed with free().
 * @param n     receives its length.
 * @param err   receives one line; may be NULL.
 * @return 0; -EINVAL: not a live source; -EIO; -ENOMEM.
 */
BPFSIFT_API int sift_source_linktypes(struct sift_source *source, int **dlts, size_t *n,
				      struct ebpf_err *err);

/**
 * How many bytes of its file a source has read, as they lie there, be they compressed, and
 * some of them not handed out yet; of merged sources, all together.  0 of an interface.
 * For the thread that uses the source, a pipeline's in what it calls between batches.
 */
BPFSIFT_API uint64_t sift_source_position(const struct sift_source *source);

/** How many bytes that is in the end, as far as is known now; 0: a pipe or an interface. */
BPFSIFT_API uint64_t sift_source_size(const struct sift_source *source);

/** What a live source counts. */
struct sift_source_stats {
	size_t size;                    /**< sizeof(struct sift_source_stats) */
	uint64_t received;              /**< packets that reached the capture */
	uint64_t dropped_kernel;        /**< of them, for want of room */
	uint64_t dropped_interface;     /**< by the interface or its driver */
};

/**
 * Read a live source's counters.
 *
 * @param stats  stats->size set by the caller; the rest is filled.
 * @return 0; -EINVAL: not a live source, or stats->size is too small; -EIO.
 */
BPFSIFT_API int sift_source_stats(struct sift_source *source, struct sift_source_stats *stats,
				  struct ebpf_err *err);

/* ---- sinks ---- */

/** Where packets go.  Used by one thread. */
struct sift_sink;

/** How a savefile is compressed. */
enum sift_codec {
	SIFT_CODEC_NONE = 0,
	SIFT_CODEC_GZIP = 1,
	SIFT_CODEC_ZSTD = 2,
	SIFT_CODEC_LZ4 = 3,
	SIFT_CODEC_XZ = 4,
};

/** A codec's name: "gzip", "zstd", "lz4", "xz" or "none"; a constant.  Thread-safe. */
BPFSIFT_API const char *sift_codec_name(enum sift_codec codec);

/**
 * A codec by its name.
 *
 * @param codec  receives it, whether this library was built with it or not.
 * @return 0; -ENOENT: no such name.  Thread-safe.
 */
BPFSIFT_API int sift_codec_from_name(const char *name, enum sift_codec *codec);

/** The codec that a file's name ends with: .gz, .zst, .lz4, .xz; else none.  Thread-safe. */
BPFSIFT_API enum sift_codec sift_codec_from_suffix(const char *path);

/** What a savefile is written as. */
enum sift_format {
	SIFT_FORMAT_PCAP = 0,
	/**
	 * In the machine's byte order, packets in enhanced packet blocks; one section, but
	 * for SIFT_SAVEFILE_SECTIONS.
	 */
	SIFT_FORMAT_PCAPNG = 1,
};

/* Flags of struct sift_savefile_opts. */
/**
 * pcapng: each pipeline that writes to the file begins a section of its own, and where its
 * source is a pcapng file that is not left to libpcap, copies all blocks of that but the
 * packets that do not match: interfaces, comments, names, statistics, whatever they are, in
 * their sections, their byte order and their places.  A packet that is cut keeps its options;
 * sections no longer say how long they are.  Other sources get a section with an interface
 * that is as the source says, and one more for each other kind of their packets.  dlt,
 * linktype_ext and snaplen are of a section that no pipeline has begun; the file is empty
 * until there is one.
 */
#define SIFT_SAVEFILE_SECTIONS 0x1u
/**
 * Once there is much to write, a thread of the sink's writes it, and compresses it, while the
 * caller goes on; it takes no signals.  A failure is told of by a later call; flushing and
 * closing wait for it, and tell.  Where no thread can be had the caller writes.
 */
#define SIFT_SAVEFILE_BEHIND 0x2u

/** What a savefile's header says, and how the file is written. */
struct sift_savefile_opts {
	size_t size;            /**< sizeof(struct sift_savefile_opts) */
	int dlt;                /**< DLT_* of the packets */
	uint32_t linktype_ext;  /**< as in struct sift_source_info */
	uint32_t snaplen;       /**< no packet is longer; 1 to INT32_MAX */
	enum sift_precision precision;
	/**
	 * A failure leaves a compressed file that ends anywhere: what was written before
	 * can be read, and reading it ends with an error.
	 */
	enum sift_codec codec;
	int level;              /**< of compression, as far as the codec's go; 0: its default */
	unsigned threads;       /**< zstd, xz: that compress beside the one that writes */
	enum sift_format format;
	unsigned flags;         /**< SIFT_SAVEFILE_* */
	/**
	 * Opens the file, truncated if it exists, where open() would not do, as after
	 * privileges were dropped: returns a descriptor, which is then the sink's, or a
	 * negative errno.  NULL: open().  Not asked for "-".
	 */
	int (*open_file)(void *arg, const char *path);
	void *open_arg; /**< its first argument */
};

/**
 * Create a savefile: pcap in the machine's byte order, byte for byte as
 * libpcap writes it; or pcapng, in which a time before 1970 is written as libpcap's
 * pcap files have it, 2^32 seconds later.
 *
 * @param path  the file, truncated if it exists; "-": standard output.
 * @param opts  not NULL.
 * @param out   on success receives the sink, to be closed with
 *              sift_sink_close(); on failure left as it was.
 * @param err   receives one line that names the file; may be NULL.
 * @return 0; -EINVAL: opts, or a link type that savefiles cannot name; -ENOTSUP: a codec
 *         that the library was built without; another negative errno: could not be
 *         created; -ENOMEM.
 */
BPFSIFT_API int sift_sink_open_savefile(const char *path, const struct sift_savefile_opts *opts,
					struct sift_sink **out, struct ebpf_err *err);

/* Flags of struct sift_rotate_opts. */
#define SIFT_ROTATE_PACKET_CLOCK 0x1u /**< time is that of the packets */
#define SIFT_ROTATE_ALIGN 0x2u        /**< intervals begin at multiples of their length */

/** What a rotated sink tells of. */
enum sift_rotate_event {
	SIFT_ROTATE_CLOSED = 0, /**< a file is complete, and another one follows */
	SIFT_ROTATE_LAST = 1,   /**< a file is complete: the sink was closed */
	/** max_files intervals are over: of what comes now nothing is written. */
	SIFT_ROTATE_FULL = 2,
};

/** When the next file is begun; 0 turns each off. */
struct sift_rotate_opts {
	size_t size; /**< sizeof(struct sift_rotate_opts) */
	/** The file that has more bytes than this before a packet is complete. */
	uint64_t max_bytes;
	/** Seconds that files are for, by the clock of flags. */
	uint32_t interval_s;
	/**
	 * With max_bytes: numbers begin anew after so many files.  Else: so many
	 * intervals, and no more.
	 */
	uint32_t max_files;
	unsigned flags; /**< SIFT_ROTATE_* */
	/**
	 * Told of each event, with the path of the file, and the packets in it; for
	 * SIFT_ROTATE_FULL, in all files.  Called by the thread that writes, which with
	 * several threads in a pipeline is any of them.  NULL: nobody is told.
	 */
	void (*on_event)(void *arg, enum sift_rotate_event event, const char *path, uint64_t n);
	void *arg; /**< its first argument */
	/**
	 * Opens a file in the place of that of struct sift_savefile_opts, and is told what
	 * sift_rotate_name() has made path of.  NULL: that one does.
	 */
	int (*open_file)(void *arg, const char *path, int64_t time, uint32_t number);
	void *open_arg; /**< its first argument */
};

/** Most bytes of a rotated file's name, its end included. */
#define SIFT_ROTATE_NAME_MAX 4096

/**
 * Make the name of a rotated file.  With interval_s, the pattern is for strftime(),
 * and local time; with max_bytes a number follows: with max_files, of as many digits as
 * the last one has, else from the second file on.
 *
 * @param time    when its interval began, seconds since 1970.
 * @param number  of the file in that interval, from 0.
 * @param name    receives the name.
 * @return 0; -EINVAL: rotate; -ENAMETOOLONG; -EOVERFLOW: no such time.  Thread-safe.
 */
BPFSIFT_API int sift_rotate_name(const char *pattern, const struct sift_rotate_opts *rotate,
				 int64_t time, uint32_t number, char name[SIFT_ROTATE_NAME_MAX],
				 struct ebpf_err *err);

/**
 * Create savefiles, one after the other, named by sift_rotate_name(): before each packet
 * that is written it is seen whether the next one is due.  A file's size is counted before
 * compression.
 *
 * With the clock of packets, the first one's name waits for the first packet; where none
 * comes, the file is named by the time at which the sink is closed.
 *
 * @param pattern  of the names.
 * @param opts     how each is written, as for sift_sink_open_savefile().
 * @param rotate   not NULL.
 * @param out      on success receives the sink, to be closed with
 *                 sift_sink_close(); on failure left as it was.
 * @param err      receives one line; may be NULL.
 * @return as sift_sink_open_savefile() or sift_rotate_name() of the first file.
 */
BPFSIFT_API int sift_sink_open_rotated(const char *pattern, const struct sift_savefile_opts *opts,
				       const struct sift_rotate_opts *rotate,
				       struct sift_sink **out, struct ebpf_err *err);

/**
 * Make one sink of two: both get what it is given, and are flushed and closed with it.
 *
 * @param first   gets packets first; both are the new sink's on success.
 * @param second  likewise.
 * @param out     on success receives the sink, to be closed with
 *                sift_sink_close(); on failure left as it was.
 * @param err     receives one line; may be NULL.
 * @return 0; -ENOMEM.
 */
BPFSIFT_API int sift_sink_open_tee(struct sift_sink *first, struct sift_sink *second,
				   struct sift_sink **out, struct ebpf_err *err);

/** What a summary needs to know of the packets. */
struct sift_summary_opts {
	size_t size;            /**< sizeof(struct sift_summary_opts) */
	int dlt;                /**< DLT_* of the packets */
	enum sift_precision precision;  /**< digits of the time */
};

/**
 * Print one line for each packet: local time, addresses, protocol, ports,
 * length.  For a first look; decoding packets is tcpdump's job.  Characters
 * beyond printable ASCII are never written.
 *
 * @param path  as of sift_sink_open_savefile().
 * @param opts  not NULL.
 * @param out   likewise.
 * @param err   likewise.
 * @return likewise.
 */
BPFSIFT_API int sift_sink_open_summary(const char *path, const struct sift_summary_opts *opts,
				       struct sift_sink **out, struct ebpf_err *err);

/**
 * Write packets.  They may still be in a buffer when this returns.
 *
 * @param views  n packets; borrowed for the call.
 * @param keep   for each of them: 0: pass it over; else bytes to write of it
 *               at most.
 * @param n      any number.
 * @param err    receives one line that names the file; may be NULL.
 * @return 0; negative errno: writing failed, and a regular file has been cut
 *         to the whole packets in it.  No more can be written after that.
 */
BPFSIFT_API int sift_sink_write(struct sift_sink *sink, const struct sift_view *views,
				const uint32_t *keep, size_t n, struct ebpf_err *err);

/** Write out what is in the buffer.  Returns as sift_sink_write(). */
BPFSIFT_API int sift_sink_flush(struct sift_sink *sink, struct ebpf_err *err);

/**
 * Write out what is in the buffer, close the file and free the sink, whatever
 * the result.  NULL is fine.
 *
 * @return 0; negative errno: the buffer could not be written or the file not
 *         be closed; 0 where sift_sink_write() has said so before.
 */
BPFSIFT_API int sift_sink_close(struct sift_sink *sink, struct ebpf_err *err);

/**
 * Whether writing to a sink has failed: then each later call but sift_sink_close() fails.  It
 * tells whether a pipeline failed for its sink or its source.
 *
 * @return 1: it has; 0.
 */
BPFSIFT_API int sift_sink_has_failed(const struct sift_sink *sink);

/* ---- pipelines ---- */

/** A source, a filter and a sink, put together. */
struct sift_pipeline;

/* Flags of struct sift_pipeline_opts. */
#define SIFT_PIPELINE_FLUSH 0x1u        /**< flush the sink after each batch */

/** The parts of a pipeline: borrowed, and kept until it is freed. */
struct sift_pipeline_opts {
	size_t size;            /**< sizeof(struct sift_pipeline_opts) */
	struct sift_source *source;             /**< required */
	/** NULL: every packet matches.  For a mixed source there is filter_for. */
	const struct sift_filter *filter;
	struct sift_sink *sink;                 /**< NULL: matches are only counted */
	/** Stop after so many matches; 0: no limit. */
	uint64_t max_matched;
	/**
	 * Write at most so many bytes of each packet; 0: all that was
	 * captured.  A filter's verdict other than 0 does not cut.
	 */
	uint32_t snaplen;
	unsigned flags;         /**< SIFT_PIPELINE_* */
	/**
	 * Threads to filter with, the caller's one of them, where the source is a
	 * pcap or pcapng file that several can read, or a series of files, and the sink
	 * writes pcap, or pcapng that is not rotated, or there is none: packets are written
	 * in their order all the same.  0 is 1.
	 */
	unsigned threads;
	/**
	 * The filter for packets of another kind, asked for before the first batch and
	 * when packets come of which the source's dlt or expr_flags were not there before.
	 * It sets *filter, to NULL where every packet matches, and returns 0; or a negative
	 * errno, with which the pipeline ends.  All filters are kept until the pipeline is
	 * freed.  NULL: filter is for all packets.
	 */
	int (*filter_for)(void *arg, int dlt, unsigned expr_flags,
			  const struct sift_filter **filter, struct ebpf_err *err);
	void *filter_arg;       /**< its first argument */
	/**
	 * Called between batches, by the thread that runs the pipeline while no other one
	 * writes to the sink, and after a live source was woken by sift_source_wake(): 0 goes
	 * on, 1 ends the run, a negative errno fails it, with err filled.  NULL: nothing is.
	 */
	int (*between)(void *arg, struct ebpf_err *err);
	void *between_arg;      /**< its first argument */
};

/** What went through a pipeline. */
struct sift_pipeline_counters {
	size_t size;            /**< sizeof(struct sift_pipeline_counters) */
	uint64_t seen;          /**< packets judged */
	uint64_t matched;       /**< of them, kept */
	uint64_t written;       /**< of them, handed to the sink */
	/** Of those seen, what sift_filter_too_short() says of, where filters can tell. */
	uint64_t too_short;
};

/**
 * Put a pipeline together.
 *
 * @param opts  not NULL.
 * @param out   on success receives the pipeline, to be freed with
 *              sift_pipeline_free(); on failure left as it was.
 * @param err   receives one line; may be NULL.
 * @return 0; -EINVAL: opts, or one filter for packets that may be mixed; -ENOMEM.
 *         Thread-safe.
 */
BPFSIFT_API int sift_pipeline_new(const struct sift_pipeline_opts *opts,
				  struct sift_pipeline **out, struct ebpf_err *err);

/** Free a pipeline, not its parts.  NULL is fine. */
BPFSIFT_API void sift_pipeline_free(struct sift_pipeline *pipeline);

/**
 * Run until the source ends, max_matched packets have matched, or the source
 * is stopped with sift_source_stop(), as from a signal handler.  The sink has
 * then got every match that the counters tell of, and in pcapng what a live source
 * has counted; flushing and closing it is the caller's.
 *
 * @param err  receives one line; may be NULL.
 * @return 0; -EPROTOTYPE: a packet that matches is of another link type, or longer, than
 *         what the source began with, and the sink can hold no such packets: it has got
 *         those before; another negative errno: of the source, the sink or filter_for.
 */
BPFSIFT_API int sift_pipeline_run(struct sift_pipeline *pipeline, struct ebpf_err *err);

/**
 * Read the counters, while or after the pipeline runs; also in another thread, or a
 * signal handler.  They are such as stood there together between two batches.
 *
 * @param counters  counters->size set by the caller; the rest is filled.
 * @param err       receives one line; may be NULL.
 * @return 0; -EINVAL: counters->size is too small.
 */
BPFSIFT_API int sift_pipeline_counters(const struct sift_pipeline *pipeline,
				       struct sift_pipeline_counters *counters,
				       struct ebpf_err *err);

#ifdef __cplusplus
}
#endif

#endif
