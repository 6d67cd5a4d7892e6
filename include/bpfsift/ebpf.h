/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The eBPF core: instructions, programs, assembler and disassembler.
 *
 * Instruction names and semantics: RFC 9669 and, for what came later, the
 * Linux kernel's uapi <linux/bpf.h>.
 *
 * Functions that can fail return 0 or a negative errno code and, where given
 * one, fill a caller-owned struct ebpf_err with one line of text.
 *
 * Structs that callers fill, or have filled, begin with their size and may
 * grow: a program compiled with an older header goes on working, and what its
 * struct has not is 0.  A size below that of the first version is -EINVAL.
 */
#ifndef BPFSIFT_EBPF_H
#define BPFSIFT_EBPF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BPFSIFT_API __attribute__((visibility("default")))
#else
#define BPFSIFT_API
#endif

/** Room for one message, its terminating NUL included. */
#define EBPF_ERR_SIZE 512

/**
 * One line about what failed: "where: what", lower case, no newline.
 * Owned by the caller; functions set it only when they fail.
 */
struct ebpf_err {
	char text[EBPF_ERR_SIZE];
};

/* ---- encoding (RFC 9669, section 3 and following) ---- */

/* class: bits 0-2 of code */
#define EBPF_LD    0x00
#define EBPF_LDX   0x01
#define EBPF_ST    0x02
#define EBPF_STX   0x03
#define EBPF_ALU   0x04
#define EBPF_JMP   0x05
#define EBPF_JMP32 0x06
#define EBPF_ALU64 0x07
#define EBPF_CLASS(code) ((code) & 0x07)

/* size: bits 3-4 of loads and stores */
#define EBPF_W  0x00
#define EBPF_H  0x08
#define EBPF_B  0x10
#define EBPF_DW 0x18

/* mode: bits 5-7 of loads and stores */
#define EBPF_IMM    0x00
#define EBPF_ABS    0x20
#define EBPF_IND    0x40
#define EBPF_MEM    0x60
#define EBPF_MEMSX  0x80
#define EBPF_ATOMIC 0xc0

/* source: bit 3 of arithmetic and jumps */
#define EBPF_K 0x00
#define EBPF_X 0x08

/* operation: bits 4-7 of arithmetic */
#define EBPF_ADD  0x00
#define EBPF_SUB  0x10
#define EBPF_MUL  0x20
#define EBPF_DIV  0x30
#define EBPF_OR   0x40
#define EBPF_AND  0x50
#define EBPF_LSH  0x60
#define EBPF_RSH  0x70
#define EBPF_NEG  0x80
#define EBPF_MOD  0x90
#define EBPF_XOR  0xa0
#define EBPF_MOV  0xb0
#define EBPF_ARSH 0xc0
#define EBPF_END  0xd0

/* operation: bits 4-7 of jumps */
#define EBPF_JA    0x00
#define EBPF_JEQ   0x10
#define EBPF_JGT   0x20
#define EBPF_JGE   0x30
#define EBPF_JSET  0x40
#define EBPF_JNE   0x50
#define EBPF_JSGT  0x60
#define EBPF_JSGE  0x70
#define EBPF_CALL  0x80
#define EBPF_EXIT  0x90
#define EBPF_JLT   0xa0
#define EBPF_JLE   0xb0
#define EBPF_JSLT  0xc0
#define EBPF_JSLE  0xd0
#define EBPF_JCOND 0xe0

/* imm of EBPF_ATOMIC */
#define EBPF_FETCH     0x01
#define EBPF_XCHG      0xe1
#define EBPF_CMPXCHG   0xf1
#define EBPF_LOAD_ACQ  0x100
#define EBPF_STORE_REL 0x110

/* registers */
#define EBPF_R0  0
#define EBPF_R1  1
#define EBPF_R2  2
#define EBPF_R3  3
#define EBPF_R4  4
#define EBPF_R5  5
#define EBPF_R6  6
#define EBPF_R7  7
#define EBPF_R8  8
#define EBPF_R9  9
#define EBPF_R10 10
#define EBPF_MAX_REG 11         /**< registers that a program can name */

/** Most instructions (slots of 8 bytes) in a program. */
#define EBPF_MAXINSNS 1000000
/** Bytes of stack below R10 in each program. */
#define EBPF_STACK_SIZE 512

/**
 * One extended instruction: 8 bytes, laid out as the kernel's struct bpf_insn
 * (RFC 9669, section 3.1), off and imm in host byte order.  A 64-bit
 * immediate load takes two of them.
 */
struct ebpf_insn {
	uint8_t code;           /**< RFC 9669 'opcode' */
	uint8_t dst_reg : 4;
	uint8_t src_reg : 4;
	int16_t off;
	int32_t imm;
};

/* ---- programs ---- */

/** What a context is, and what a program may do with it.  Constant. */
struct ebpf_prog_type;

/** A loaded program.  Reference counted; immutable once loaded. */
struct ebpf_prog;

/**
 * The program type for plain memory: R1 = its address, R2 = its length.
 *
 * @return a constant that is never freed.  Thread-safe.
 */
BPFSIFT_API const struct ebpf_prog_type *ebpf_prog_type_raw(void);

/**
 * Load a program: copy, decode, and check the form of each instruction
 * (known code, unused fields zero, registers, second halves of wide
 * instructions).  Jumps and memory accesses of a program loaded this way are
 * tested as it runs, see ebpf_prog_run_checked().
 *
 * @param type     what the context is; a constant.
 * @param insns    n_insns instructions in host order; borrowed for the call.
 * @param n_insns  slots, 1 to EBPF_MAXINSNS.
 * @param out      on success receives the program, to be given back with
 *                 ebpf_prog_put(); on failure left as it was.
 * @param err      receives one line; may be NULL.
 * @return 0; -EINVAL: malformed; -E2BIG: too long; -ENOMEM.
 * Thread-safe.  Source: RFC 9669.
 */
BPFSIFT_API int ebpf_prog_load(const struct ebpf_prog_type *type,
			       const struct ebpf_insn *insns, size_t n_insns,
			       struct ebpf_prog **out, struct ebpf_err *err);

/** Whether a program may or must become machine code. */
enum ebpf_jit {
	EBPF_JIT_ON = 0,        /**< where there is a JIT for the machine, else interpreted */
	EBPF_JIT_OFF = 1,
	EBPF_JIT_REQUIRED = 2,  /**< or it is not loaded */
};

/** Which programs run with their constants blinded. */
enum ebpf_blinding {
	EBPF_BLINDING_OFF = 0,
	EBPF_BLINDING_UNTRUSTED = 1,    /**< those that this library did not make itself */
	EBPF_BLINDING_ALWAYS = 2,
};

/** What is asked of programs when they are loaded; zero is the default of each. */
struct ebpf_policy {
	size_t size;                    /**< sizeof(struct ebpf_policy) */
	enum ebpf_jit jit;
	/**
	 * A blinded program contains none of its author's constants, each being
	 * made of random numbers as it runs, and does what it did.  It takes a
	 * few times the memory.  A jump that leaves the program, or leads into
	 * an instruction, then fails the load and not the run.
	 */
	enum ebpf_blinding blinding;
};

/**
 * Load a program as ebpf_prog_load() does, by a policy.
 *
 * @param policy  may be NULL; borrowed for the call.
 * @return as ebpf_prog_load(), and -EINVAL: not a policy, or a jump out of a
 *         program to be blinded; -ENOTSUP: a JIT is required, and this machine has none.
 * Thread-safe.
 */
BPFSIFT_API int ebpf_prog_load_by(const struct ebpf_prog_type *type,
				  const struct ebpf_insn *insns, size_t n_insns,
				  const struct ebpf_policy *policy, struct ebpf_prog **out,
				  struct ebpf_err *err);

/** What executes a program. */
enum ebpf_runtime {
	EBPF_RUNTIME_CHECKED = 0,       /**< ebpf_prog_run_checked() and nothing else */
	EBPF_RUNTIME_INTERP = 1,        /**< the fast interpreter */
	EBPF_RUNTIME_JIT = 2,           /**< machine code */
};

/** What was chosen for a program when it was loaded.  Thread-safe. */
BPFSIFT_API enum ebpf_runtime ebpf_prog_runtime(const struct ebpf_prog *prog);

/** What is counted of a program's runs, by all threads together. */
struct ebpf_stats {
	size_t size;            /**< sizeof(struct ebpf_stats), set by the caller */
	uint64_t runs;
	uint64_t nanoseconds;   /**< that they took */
	uint64_t misses;        /**< runs not made, since one was under way on the thread */
};

/**
 * Count the runs of a program from now on, or no longer; what was counted
 * stays.  While they are not counted it costs nothing.  Runs that are under
 * way may or may not be counted.  Misses always are.
 *
 * A program that is counted must not be run by a signal handler too.
 *
 * @param prog  a program.
 * @param on    0: off, as programs are at first; 1: on.
 * @param err   receives one line; may be NULL.
 * @return 0, or what mprotect(2) fails with: the program lies in read-only
 *         memory, of which the page with its entry is opened for the moment.
 * Thread-safe, while other threads run it as well.
 */
BPFSIFT_API int ebpf_prog_count(struct ebpf_prog *prog, int on, struct ebpf_err *err);

/**
 * What was counted: the sum over all threads, of each one what it had counted
 * at some moment during the call, its three numbers belonging together.
 *
 * @param prog   a program.
 * @param stats  size says which fields are there to be filled.
 * Thread-safe, while other threads run it as well.
 */
BPFSIFT_API void ebpf_prog_stats(const struct ebpf_prog *prog, struct ebpf_stats *stats);

/** Take another reference to prog.  @return prog.  Thread-safe. */
BPFSIFT_API struct ebpf_prog *ebpf_prog_get(struct ebpf_prog *prog);

/** Give back a reference; the last one frees the program.  NULL is fine. */
BPFSIFT_API void ebpf_prog_put(struct ebpf_prog *prog);

/**
 * The program's instructions as they were loaded.
 *
 * @param prog     a program.
 * @param n_insns  receives the number of slots.
 * @return the instructions, owned by prog.
 */
BPFSIFT_API const struct ebpf_insn *ebpf_prog_insns(const struct ebpf_prog *prog,
						    size_t *n_insns);

/** Bytes in a program's tag. */
#define EBPF_TAG_SIZE 8

/**
 * The tag of a program, as bpftool shows it for the same program loaded into
 * Linux 6.18: the first bytes of the SHA-256 digest over its instructions,
 * little-endian, as they were loaded.  Descriptors of maps count as 0.
 *
 * @param prog  a program.
 * @param tag   receives it; untouched on failure.
 * @param err   receives one line; may be NULL.
 * @return 0; -ENOTSUP: the library was built without libmd.  Thread-safe.
 */
BPFSIFT_API int ebpf_prog_tag(const struct ebpf_prog *prog, uint8_t tag[EBPF_TAG_SIZE],
			      struct ebpf_err *err);

/** As ebpf_prog_tag(), by SHA-1: the tag that older kernels show. */
BPFSIFT_API int ebpf_prog_tag_sha1(const struct ebpf_prog *prog, uint8_t tag[EBPF_TAG_SIZE],
				   struct ebpf_err *err);

/** How a checked run is bounded and watched. */
struct ebpf_run_opts {
	size_t size;            /**< sizeof(struct ebpf_run_opts) */
	uint64_t max_steps;     /**< instructions to execute at most; 0: 2^32 */
	/**
	 * Called after each executed instruction, NULL for none: its slot,
	 * and the eleven registers as it left them.
	 */
	void (*trace)(void *trace_arg, size_t pc, const uint64_t regs[EBPF_MAX_REG]);
	void *trace_arg;
};

/**
 * Run a program with every jump, call and memory access tested as it happens.
 * The program may read and write its stack and the memory [mem, mem + len),
 * and nothing else.
 *
 * @param prog  loaded by ebpf_prog_load() with the type raw, or made by this
 *              library (sift_filter_ebpf()); then helpers may read what R1 leads
 *              to, and mem is what they expect.
 * @param mem   R1; borrowed for the call, written if the program does.
 * @param len   R2: bytes at mem.
 * @param opts  may be NULL.
 * @param r0    receives R0 at exit; untouched on failure.
 * @param err   receives one line that names the instruction; may be NULL.
 * @return 0; -EFAULT: an access outside its memory; -EINVAL: opts, left the
 *         program, or an unknown helper; -ELOOP: max_steps used up; -E2BIG: calls
 *         nested deeper than 8 frames; -ENOMEM.
 * Thread-safe as far as mem is.
 */
BPFSIFT_API int ebpf_prog_run_checked(const struct ebpf_prog *prog, void *mem, size_t len,
				      const struct ebpf_run_opts *opts, uint64_t *r0,
				      struct ebpf_err *err);

/* ---- text ---- */

/**
 * Read instructions in bpftool's notation ("r0 = *(u8 *)(r1 +0)", one a line,
 * "12: (71) " before them optional and ignored, ';' starts a comment).
 *
 * "r1 = 5" is a move, "r1 = 0x5" a 64-bit load of two slots: so the notation
 * tells them apart.  Elsewhere immediates may be decimal or hexadecimal.
 *
 * @param text     len bytes, need not be terminated; borrowed for the call.
 * @param len      bytes in text.
 * @param insns    receives an array to be freed with free().
 * @param n_insns  receives its length in slots.
 * @param err      receives one line that names the text's line; may be NULL.
 * @return 0; -EINVAL: not an instruction; -E2BIG; -ENOMEM.  On failure the
 *         outputs are untouched.  Thread-safe.
 */
BPFSIFT_API int ebpf_asm(const char *text, size_t len, struct ebpf_insn **insns,
			 size_t *n_insns, struct ebpf_err *err);

/** Enough for any line of ebpf_disasm(), terminating NUL included. */
#define EBPF_DISASM_SIZE 128

/**
 * Write one instruction in bpftool's notation, without its slot number:
 * "(71) r0 = *(u8 *)(r1 +0)".  What is not an instruction is written
 * "(ff) unknown".
 *
 * @param insn   insn[0], and insn[1] where n > 1 and the code is wide.
 * @param n      slots from insn to the end of the program.
 * @param buf    receives the line, NUL-terminated, no newline.
 * @param size   bytes at buf; EBPF_DISASM_SIZE is enough.
 * @return slots that the instruction takes, 1 or 2.  Thread-safe.
 */
BPFSIFT_API size_t ebpf_disasm(const struct ebpf_insn *insn, size_t n, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
