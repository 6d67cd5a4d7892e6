/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Classic BPF: reading, checking, printing, and lowering to eBPF.
 *
 * Source: McCanne and Jacobson, "The BSD Packet Filter", and the Linux
 * kernel's uapi <linux/filter.h>.  Errors as in ebpf.h.
 */
#ifndef BPFSIFT_CBPF_H
#define BPFSIFT_CBPF_H

#include <bpfsift/ebpf.h>

#ifdef __cplusplus
extern "C" {
#endif

/* class: bits 0-2 of code */
#define CBPF_LD   0x00
#define CBPF_LDX  0x01
#define CBPF_ST   0x02
#define CBPF_STX  0x03
#define CBPF_ALU  0x04
#define CBPF_JMP  0x05
#define CBPF_RET  0x06
#define CBPF_MISC 0x07
#define CBPF_CLASS(code) ((code) & 0x07)

/* size and mode of loads */
#define CBPF_W   0x00
#define CBPF_H   0x08
#define CBPF_B   0x10
#define CBPF_IMM 0x00
#define CBPF_ABS 0x20
#define CBPF_IND 0x40
#define CBPF_MEM 0x60
#define CBPF_LEN 0x80
#define CBPF_MSH 0xa0

/* operations and source */
#define CBPF_ADD  0x00
#define CBPF_SUB  0x10
#define CBPF_MUL  0x20
#define CBPF_DIV  0x30
#define CBPF_OR   0x40
#define CBPF_AND  0x50
#define CBPF_LSH  0x60
#define CBPF_RSH  0x70
#define CBPF_NEG  0x80
#define CBPF_MOD  0x90
#define CBPF_XOR  0xa0
#define CBPF_JA   0x00
#define CBPF_JEQ  0x10
#define CBPF_JGT  0x20
#define CBPF_JGE  0x30
#define CBPF_JSET 0x40
#define CBPF_K    0x00
#define CBPF_X    0x08
#define CBPF_A    0x10
#define CBPF_TAX  0x00
#define CBPF_TXA  0x80

#define CBPF_MEMWORDS 16        /**< scratch slots M[] */
#define CBPF_MAXINSNS 4096      /**< the kernel's limit on a program */

/* Offsets at which loads leave the packet's data (kernel dialect). */
#define CBPF_AD_OFF  (-0x1000)          /**< ancillary data, ABS loads only */
#define CBPF_NET_OFF (-0x100000)        /**< network-layer header */
#define CBPF_LL_OFF  (-0x200000)        /**< link-layer header */

/* Ancillary data: offsets from CBPF_AD_OFF. */
#define CBPF_AD_PROTOCOL         0
#define CBPF_AD_PKTTYPE          4
#define CBPF_AD_IFINDEX          8
#define CBPF_AD_NLATTR           12
#define CBPF_AD_NLATTR_NEST      16
#define CBPF_AD_MARK             20
#define CBPF_AD_QUEUE            24
#define CBPF_AD_HATYPE           28
#define CBPF_AD_RXHASH           32
#define CBPF_AD_CPU              36
#define CBPF_AD_ALU_XOR_X        40
#define CBPF_AD_VLAN_TAG         44
#define CBPF_AD_VLAN_TAG_PRESENT 48
#define CBPF_AD_PAY_OFFSET       52
#define CBPF_AD_RANDOM           56
#define CBPF_AD_VLAN_TPID        60
#define CBPF_AD_MAX              64

/**
 * One classic instruction: 8 bytes in host byte order, laid out as
 * struct sock_filter and libpcap's struct bpf_insn.
 */
struct cbpf_insn {
	uint16_t code;
	uint8_t jt;             /**< instructions to skip where a test holds */
	uint8_t jf;             /**< and where it does not */
	uint32_t k;
};

#define CBPF_STMT(code, k) { (uint16_t)(code), 0, 0, (uint32_t)(k) }
#define CBPF_JUMP(code, k, jt, jf) { (uint16_t)(code), (jt), (jf), (uint32_t)(k) }

/** Whose rules a program obeys; bpf-filter-semantics(7) lists the differences. */
enum cbpf_dialect {
	CBPF_DIALECT_KERNEL = 0,        /**< Linux socket filters */
	CBPF_DIALECT_PCAP = 1,          /**< libpcap's bpf_filter() */
};

/** A checked program.  Immutable. */
struct cbpf_prog;

/**
 * Check a program by the rules of a dialect and keep a copy of it.
 *
 * @param insns    n_insns instructions; borrowed for the call.
 * @param n_insns  kernel: 1 to CBPF_MAXINSNS; pcap: 1 and more.
 * @param dialect  whose rules.
 * @param out      on success receives the program, which the caller frees
 *                 with cbpf_prog_free(); on failure left as it was.
 * @param err      receives one line that names the instruction; may be NULL.
 * @return 0; -EINVAL: refused; -ENOMEM.  Thread-safe.
 */
BPFSIFT_API int cbpf_check(const struct cbpf_insn *insns, size_t n_insns,
			   enum cbpf_dialect dialect, struct cbpf_prog **out,
			   struct ebpf_err *err);

/** Free a program.  NULL is fine. */
BPFSIFT_API void cbpf_prog_free(struct cbpf_prog *prog);

/**
 * A checked program's instructions.
 *
 * @param prog     a program.
 * @param n_insns  receives their number.
 * @return the instructions, owned by prog.
 */
BPFSIFT_API const struct cbpf_insn *cbpf_prog_insns(const struct cbpf_prog *prog, size_t *n_insns);

/** The dialect that a program was checked by. */
BPFSIFT_API enum cbpf_dialect cbpf_prog_dialect(const struct cbpf_prog *prog);

/* ---- text forms ---- */

/** How a classic program is written down. */
enum cbpf_form {
	CBPF_FORM_AUTO = 0,     /**< reading only: told by the text itself */
	CBPF_FORM_D = 1,        /**< tcpdump -d listing */
	CBPF_FORM_DD = 2,       /**< tcpdump -dd: C initialisers */
	CBPF_FORM_DDD = 3,      /**< tcpdump -ddd: decimal, the count first */
	CBPF_FORM_XT_BPF = 4,   /**< the same on one line, joined with commas */
	CBPF_FORM_BPF_ASM = 5,  /**< assembly language of the kernel's bpf_asm */
	CBPF_FORM_HEX = 6,      /**< struct sock_filter, little-endian, as hex digits */
	CBPF_FORM_RAW = 7,      /**< struct sock_filter, little-endian */
};

/**
 * Read a classic program.  Only its form is checked: see cbpf_check().
 *
 * @param text     len bytes, need not be terminated; borrowed for the call.
 * @param len      bytes in text.
 * @param form     how it is written; CBPF_FORM_AUTO never takes text for
 *                 CBPF_FORM_RAW unless a byte of it cannot be text.
 * @param insns    receives an array to be freed with free().
 * @param n_insns  receives its length.
 * @param err      receives one line that names the line or offset of the text;
 *                 may be NULL.
 * @return 0; -EINVAL: not a program; -E2BIG: more than EBPF_MAXINSNS
 *         instructions; -ENOMEM.  On failure the outputs are untouched.
 *         Thread-safe.
 */
BPFSIFT_API int cbpf_read(const char *text, size_t len, enum cbpf_form form,
			  struct cbpf_insn **insns, size_t *n_insns, struct ebpf_err *err);

/**
 * Write a classic program.  What cbpf_read() makes of the text is the same
 * program, but for fields that the form does not carry (D and BPF_ASM: jt and
 * jf of instructions that do not jump, k of those that use none).
 *
 * @param insns    n_insns instructions; borrowed.
 * @param form     any but CBPF_FORM_AUTO.
 * @param text     receives a NUL-terminated string to be freed with free();
 *                 CBPF_FORM_RAW: bytes.
 * @param len      receives its length, the NUL not counted; may be NULL.
 * @param err      receives one line; may be NULL.
 * @return 0; -EINVAL: CBPF_FORM_AUTO, or BPF_ASM and an instruction that the
 *         language cannot express; -ENOMEM.  Thread-safe.
 */
BPFSIFT_API int cbpf_print(const struct cbpf_insn *insns, size_t n_insns, enum cbpf_form form,
			   char **text, size_t *len, struct ebpf_err *err);

/* ---- lowering ---- */

/** How the lowered program reaches packet bytes. */
enum cbpf_target {
	CBPF_TARGET_PACKET = 0, /**< R1 = struct sift_view (filter.h): the engine's own */
	CBPF_TARGET_BUFFER = 1, /**< R1 = data, R2 = its length; no metadata */
	/**
	 * R1 = struct __sk_buff: a socket filter of the Linux kernel, to be
	 * loaded as BPF_PROG_TYPE_SOCKET_FILTER.
	 */
	CBPF_TARGET_SOCKET = 2,
	/**
	 * R1 = struct __sk_buff: a classifier of tc, to be loaded as
	 * BPF_PROG_TYPE_SCHED_CLS, which returns an action.  Bytes are read
	 * where the packet lies in one piece, and asked of helpers elsewhere; at
	 * level 0 all of them are.
	 */
	CBPF_TARGET_TC = 3,
	/**
	 * R1 = struct xdp_md: to be loaded as BPF_PROG_TYPE_XDP, with or without
	 * BPF_F_XDP_HAS_FRAGS.  Otherwise like CBPF_TARGET_TC.
	 */
	CBPF_TARGET_XDP = 4,
};

/** What targets TC and XDP return: TC_ACT_* or XDP_*. */
struct cbpf_actions {
	int32_t match;          /**< the classic result is not 0 */
	int32_t miss;           /**< it is 0, bytes that are not there included */
};

/** Which generation of eBPF the emitted code keeps to: clang's -mcpu. */
enum cbpf_cpu {
	CBPF_CPU_DEFAULT = 0,   /**< v3 */
	CBPF_CPU_V1 = 1,
	CBPF_CPU_V2 = 2,
	CBPF_CPU_V3 = 3,
	CBPF_CPU_V4 = 4,
};

/** How much the lowering does to make a program shorter and faster. */
enum cbpf_level {
	CBPF_LEVEL_DEFAULT = 0, /**< level 2 */
	CBPF_LEVEL_0 = 1,       /**< each classic instruction by itself, as the kernel does it */
	CBPF_LEVEL_1 = 2,       /**< passes that take linear time */
	CBPF_LEVEL_2 = 3,       /**< all passes */
};

/** Where the network layer starts in a frame, for targets without metadata. */
struct cbpf_net_base {
	/** Bytes before the network layer, at most INT32_MAX; UINT32_MAX: there is none. */
	uint32_t off;
	/**
	 * Not 0: where 0x8100 or 0x88a8 stands at this offset, the network
	 * layer starts four bytes later (Ethernet: 12).  At most 32765.
	 */
	uint32_t vlan_at;
};

/** What a packet context holds, for target PACKET. */
enum cbpf_field {
	CBPF_FIELD_DATA = 0,            /**< pointer to the captured bytes */
	CBPF_FIELD_CAPLEN = 1,          /**< bytes at data, at most INT32_MAX */
	CBPF_FIELD_WIRELEN = 2,         /**< what 'ld len' gives */
	CBPF_FIELD_MAC_OFF = 3,         /**< link-layer header: offset in data; UINT32_MAX: none */
	CBPF_FIELD_NET_OFF = 4,         /**< network-layer header: likewise */
	CBPF_FIELD_PROTOCOL = 5,        /**< ethertype, host order */
	CBPF_FIELD_PKTTYPE = 6,         /**< PACKET_HOST ... PACKET_OUTGOING */
	CBPF_FIELD_IFINDEX = 7,
	CBPF_FIELD_MARK = 8,
	CBPF_FIELD_QUEUE = 9,
	CBPF_FIELD_HATYPE = 10,         /**< ARPHRD_* */
	CBPF_FIELD_RXHASH = 11,
	CBPF_FIELD_CPU = 12,
	CBPF_FIELD_VLAN_TCI = 13,       /**< all 16 bits, host order */
	CBPF_FIELD_VLAN_PRESENT = 14,   /**< 0 or 1 */
	CBPF_FIELD_VLAN_PROTO = 15,     /**< host order */
	CBPF_N_FIELDS = 16
};

/**
 * Layout of the context that target PACKET reads through R1: that of struct
 * sift_view comes from sift_packet_layout() (filter.h); an embedder may
 * describe its own.  Fields are unsigned, in host byte order, of 1, 2, 4 or
 * (data) pointer-size bytes; those without a value hold 0.
 */
struct cbpf_packet_layout {
	size_t size;            /**< sizeof(struct cbpf_packet_layout) */
	/** Helpers (ctx, A, X) by number; 0: there is none, refuse the load. */
	int32_t nlattr, nlattr_nest, pay_offset, random;
	uint32_t known_off;     /**< u32: which fields have a value (PROTOCOL and after) */
	/** Last, since their number may grow. */
	struct {
		uint16_t off;           /**< bytes from R1 */
		uint8_t width;          /**< bytes */
		uint32_t known;         /**< its bit in the word at known_off */
	} fields[CBPF_N_FIELDS];
};

/** Options of cbpf_lower(); zero is the default of each. */
struct cbpf_lower_opts {
	size_t size;                    /**< sizeof(struct cbpf_lower_opts) */
	enum cbpf_cpu cpu;
	/** PACKET: the layout of the context; required there; borrowed for the call. */
	const struct cbpf_packet_layout *layout;
	/** BUFFER, TC, XDP: NULL where no link type is known; borrowed for the call. */
	const struct cbpf_net_base *net_base;
	/**
	 * Programs of level 2 compare numbers as they lie in the memory of this
	 * host: they are for machines of its byte order.
	 */
	enum cbpf_level level;
	/**
	 * NULL, or receives the program after each pass of levels 1 and 2, as
	 * text, a line a call, without newline.
	 */
	void (*trace)(void *trace_arg, const char *line);
	void *trace_arg;
	/**
	 * TC, XDP: NULL for TC_ACT_OK and TC_ACT_SHOT, XDP_PASS and XDP_DROP;
	 * borrowed for the call.
	 */
	const struct cbpf_actions *actions;
};

/** A lowered program: the instructions, and where each came from. */
struct cbpf_lowered {
	struct ebpf_insn *insns;
	size_t n_insns;
	/**
	 * For each of insns the classic instruction that it came from;
	 * UINT32_MAX for what serves the whole program.
	 */
	uint32_t *origin;
};

/**
 * Lower a checked classic program to eBPF.  Its verdicts are the same at each
 * level, for every packet.  Programs that jump backward get level 0.
 *
 * @param prog    accepted by cbpf_check(); borrowed for the call.
 * @param target  how packet bytes are reached.
 * @param opts    may be NULL.
 * @param out     filled on success, to be freed with cbpf_lowered_free(); on
 *                failure left as it was.
 * @param err     receives one line; may be NULL.
 * @return 0; -EINVAL: opts, or a load that the target cannot express; -E2BIG:
 *         over EBPF_MAXINSNS once expanded; -ENOMEM.
 * Thread-safe.
 */
BPFSIFT_API int cbpf_lower(const struct cbpf_prog *prog, enum cbpf_target target,
			   const struct cbpf_lower_opts *opts, struct cbpf_lowered *out,
			   struct ebpf_err *err);

/** Free what cbpf_lower() filled.  Zeroed or NULL is fine. */
BPFSIFT_API void cbpf_lowered_free(struct cbpf_lowered *lowered);

#ifdef __cplusplus
}
#endif

#endif
