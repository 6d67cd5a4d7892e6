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

/* ---- maps ---- */

/*
 * Kinds of maps, numbered as in the kernel's enum bpf_map_type.  Those of an
 * embedder have numbers from EBPF_MAP_OWN on.
 */
#define EBPF_MAP_HASH         1
#define EBPF_MAP_ARRAY        2
#define EBPF_MAP_PROG_ARRAY   3  /**< programs, for tail calls */
#define EBPF_MAP_PERCPU_ARRAY 6  /**< an array of its own for each thread */
#define EBPF_MAP_LPM_TRIE     11 /**< longest matching prefix */
#define EBPF_MAP_RINGBUF      27 /**< records from programs to user space */
#define EBPF_MAP_OWN          0x10000

/* flags of a map, numbered as in the kernel's uapi */
#define EBPF_MAP_NO_PREALLOC 0x01 /**< accepted; elements are always allocated at first */
#define EBPF_MAP_RDONLY_PROG 0x80 /**< programs only read its values */

/* flags of an update */
#define EBPF_ANY     0          /**< whether the key is there or not */
#define EBPF_NOEXIST 1          /**< only if it is not */
#define EBPF_EXIST   2          /**< only if it is */

/** Room for the name of a map, its terminating NUL included. */
#define EBPF_MAP_NAME_SIZE 64

struct ebpf_map_kind;

/** What a map is made from.  Callers fill it; zero is the default. */
struct ebpf_map_opts {
	size_t size;            /**< sizeof(struct ebpf_map_opts) */
	uint32_t type;          /**< EBPF_MAP_* */
	uint32_t key_size;      /**< bytes; array kinds: 4; ring buffer: 0 */
	uint32_t value_size;    /**< bytes; program array: 4; ring buffer: 0 */
	uint32_t max_entries;   /**< ring buffer: its bytes, a power of two */
	uint32_t flags;         /**< EBPF_MAP_NO_PREALLOC, EBPF_MAP_RDONLY_PROG */
	const char *name;       /**< for messages; copied, cut; NULL: none */
	/** What works it, for types from EBPF_MAP_OWN on; kept until it is freed. */
	const struct ebpf_map_kind *kind;
	void *kind_arg;         /**< handed to kind->open */
};

/**
 * How a kind of map works: the interface behind which the library's own kinds
 * are, by which an embedder adds others.
 *
 * All functions but open and close are called by many threads at a time.
 * key points to key_size bytes, value to value_size; neither is aligned.
 * Those left NULL, and fields beyond size, are what this kind cannot do.
 */
struct ebpf_map_kind {
	size_t size;            /**< sizeof(struct ebpf_map_kind) */
	const char *name;
	/** Refuse opts with a negative errno and a message, or make *state. */
	int (*open)(const struct ebpf_map_opts *opts, void **state, struct ebpf_err *err);
	void (*close)(void *state);
	/**
	 * The address of a value, aligned to 8 bytes, which stays memory of the
	 * map until close, also if the element is removed; NULL: there is none.
	 */
	void *(*lookup)(void *state, const void *key);
	/** 0, or a negative errno. */
	int (*update)(void *state, const void *key, const void *value, uint64_t flags);
	int (*remove)(void *state, const void *key);
	/** The key after key, the first one if key is NULL or gone; -ENOENT: no more. */
	int (*next_key)(void *state, const void *key, void *next);
	/**
	 * 1 if a program may touch these bytes: they lie within one value.
	 * NULL: checked runs can look values up, but touch none.
	 */
	int (*owns)(void *state, const void *addr, size_t len);
	/** The address of the only value, for programs that name it directly. */
	void *(*direct)(void *state);
};

/**
 * A map: what programs keep between runs, and share with each other and with
 * the host.
 *
 * Every function here, and every helper, may be called at the same time by any
 * number of threads on one map.  What lies in a value is copied in words: a
 * reader and a writer of one value at a time see a mix of old and new words,
 * so a counter should be one aligned word that programs change with atomic
 * instructions.  An element that is removed while a program holds its address
 * stays memory of the map and may become another element, as in the kernel.
 *
 * Each thread has its own values of a per-CPU array, from its first access on;
 * when it ends, the next new thread takes them over, as a CPU would keep them.
 * (Threads migrate between CPUs in the middle of a program, so values by CPU
 * would lose counts.)
 */
struct ebpf_map;

/**
 * Make a map.
 *
 * @param opts  borrowed for the call, except opts->kind.
 * @param out   on success receives the map, to be given back with
 *              ebpf_map_put(); on failure left as it was.
 * @param err   receives one line; may be NULL.
 * @return 0; -EINVAL: sizes or flags that this type cannot have, or an unknown
 *         type; -E2BIG: too large for this machine; -EAGAIN: over the number
 *         of per-CPU maps of a process (PTHREAD_KEYS_MAX); -ENOMEM.
 * Thread-safe.
 */
BPFSIFT_API int ebpf_map_new(const struct ebpf_map_opts *opts, struct ebpf_map **out,
			     struct ebpf_err *err);

/** Take another reference to map.  @return map.  Thread-safe. */
BPFSIFT_API struct ebpf_map *ebpf_map_get(struct ebpf_map *map);

/**
 * Give back a reference; NULL is fine.  Programs that use the map keep it.
 * With the last reference of the host a program array is emptied: give it back
 * when no program that uses it is running.  A per-CPU array also wants no
 * thread that used it to be ending just then.
 */
BPFSIFT_API void ebpf_map_put(struct ebpf_map *map);

/**
 * What a map was made with.
 *
 * @param map   a map.
 * @param opts  its size is set by the caller; receives the rest as far as that
 *              goes, with name valid as long as the map.
 * Thread-safe.
 */
BPFSIFT_API void ebpf_map_describe(const struct ebpf_map *map, struct ebpf_map_opts *opts);

/**
 * Copy a value out of a map; of a per-CPU array, this thread's.
 *
 * @param map    a map.
 * @param key    its key_size bytes; of a trie a uint32_t, the bits of the
 *               prefix, and then its bytes.
 * @param value  receives value_size bytes; untouched on failure.
 * @return 0; -ENOENT: no such key; -EOPNOTSUPP: this kind has no values.
 */
BPFSIFT_API int ebpf_map_lookup(struct ebpf_map *map, const void *key, void *value);

/**
 * Set a value; of a per-CPU array, this thread's.
 *
 * @param flags  EBPF_ANY, EBPF_NOEXIST or EBPF_EXIST.
 * @return 0; -E2BIG: the map is full, or an array not that long; -ENOSPC: the
 *         trie is full; -EEXIST; -ENOENT; -EINVAL: flags, or a prefix that is too long; -ENOMEM;
 *         -EOPNOTSUPP: this kind cannot.
 */
BPFSIFT_API int ebpf_map_update(struct ebpf_map *map, const void *key, const void *value,
				uint64_t flags);

/**
 * Remove an element.
 *
 * @return 0; -ENOENT: no such key; -EINVAL: elements of an array stay;
 *         -EOPNOTSUPP: this kind cannot.
 */
BPFSIFT_API int ebpf_map_delete(struct ebpf_map *map, const void *key);

/**
 * Walk over the keys, in no particular order.  A key that is there all the
 * time is met, once, if the walk is not begun again because the one that it
 * stood at was removed.
 *
 * @param key   where the walk is; NULL, or a key that is not there: before the
 *              first.
 * @param next  receives the key after it; may be the same memory as key.
 * @return 0; -ENOENT: key was the last one; -EOPNOTSUPP: this kind cannot.
 */
BPFSIFT_API int ebpf_map_next_key(struct ebpf_map *map, const void *key, void *next);

/**
 * Copy out the i-th thread's value of a per-CPU array, 0 the first.  The sum of
 * a counter is that over all i until this fails.
 *
 * @return 0; -ENOENT: no such index, or fewer threads have used the map;
 *         -EOPNOTSUPP: another kind.
 */
BPFSIFT_API int ebpf_map_lookup_percpu(struct ebpf_map *map, const void *key, size_t i,
				       void *value);

/**
 * Put a program at an index of a program array, or nothing (NULL).
 *
 * All programs of an array, and all that call through it, have the same type.
 * A program that is replaced may still be running: it is kept until
 * ebpf_map_reap() or the end of the map.
 *
 * @param prog  the array takes a reference of its own.
 * @return 0; -E2BIG: index; -EINVAL: a program of another type, or one for the
 *         place of a function; -EBUSY: a function of the program is replaced;
 *         -ENOMEM; -EOPNOTSUPP: another kind of map.
 */
BPFSIFT_API int ebpf_map_set_prog(struct ebpf_map *map, uint32_t index, struct ebpf_prog *prog);

/** Free the replaced programs of an array.  None that may call them is running. */
BPFSIFT_API void ebpf_map_reap(struct ebpf_map *map);

/**
 * Take the records out of a ring buffer, oldest first, until it is empty or
 * one is not submitted yet.
 *
 * @param fn  called with each, aligned to 8 bytes and valid until it returns;
 *            it may not consume from the same map.  Not 0: stop after this one.
 * @return records taken; -EBUSY: another thread is at it; -EOPNOTSUPP: another
 *         kind of map.
 * Programs may write at the same time.
 */
BPFSIFT_API int ebpf_ringbuf_consume(struct ebpf_map *map,
				     int (*fn)(void *arg, const void *data, size_t len),
				     void *arg);

/* ---- helpers ---- */

/** What a helper takes. */
enum ebpf_arg_kind {
	EBPF_ARG_NONE = 0,
	EBPF_ARG_SCALAR = 1,            /**< any number */
	EBPF_ARG_CTX = 2,               /**< the context as R1 had it */
	EBPF_ARG_MEM_READ = 3,          /**< address of memory; its size is the next argument */
	EBPF_ARG_MEM_WRITE = 4,         /**< likewise, filled by the helper */
	EBPF_ARG_SIZE = 5,              /**< size of the memory before it, 1 or more */
	EBPF_ARG_SIZE_OR_ZERO = 6,
	EBPF_ARG_MAP = 7,
	EBPF_ARG_MAP_KEY = 8,           /**< address of a key of the map before it */
	EBPF_ARG_MAP_VALUE = 9,         /**< address of a value of the map before it */
	EBPF_ARG_ANYTHING = 10,         /**< whatever the register holds, even nothing */
};

/** What a helper returns. */
enum ebpf_ret_kind {
	EBPF_RET_SCALAR = 0,
	EBPF_RET_VOID = 1,
	EBPF_RET_MAP_VALUE_OR_NULL = 2, /**< of the map that was an argument */
};

/**
 * A helper is called with R1-R5, those it does not take included, and the
 * environment it was given with; what it returns becomes R0.  A map is handed
 * to it as the number (uintptr_t)map.
 */
typedef uint64_t (*ebpf_helper_fn)(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
				   uint64_t r5, void *env);

/** A helper of an embedder's own. */
struct ebpf_helper_opts {
	size_t size;            /**< sizeof(struct ebpf_helper_opts) */
	int32_t id;             /**< its number; one of the type's gives way to it */
	const char *name;       /**< kept until the program is freed */
	/** Called by each thread that runs the program; may run programs, this one too. */
	ebpf_helper_fn fn;
	void *env;              /**< handed to fn */
	/**
	 * R1-R5, enum ebpf_arg_kind: what the verifier proves, and a checked
	 * run tests, so that fn need not doubt its arguments.
	 */
	uint8_t args[5];
	uint8_t ret;            /**< enum ebpf_ret_kind */
};

/* ---- loading and running ---- */

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
 * tested as it runs, see ebpf_prog_run_checked(); ebpf_prog_load_opts() can
 * prove them safe instead.
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

/** Whether a program may or must become machine code: of x86-64 or aarch64. */
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
	EBPF_RUNTIME_CHECKED = 0,       /**< not verified: ebpf_prog_run_checked() */
	EBPF_RUNTIME_INTERP = 1,        /**< the fast interpreter */
	EBPF_RUNTIME_JIT = 2,           /**< machine code */
};

/** What was chosen for a program when it was loaded.  Thread-safe. */
BPFSIFT_API enum ebpf_runtime ebpf_prog_runtime(const struct ebpf_prog *prog);

/** A program's machine code; what it points to lasts as long as the program. */
struct ebpf_native {
	size_t size;                    /**< sizeof(struct ebpf_native), set by the caller */
	const uint8_t *code;
	size_t n;                       /**< bytes of code */
	const struct ebpf_insn *insns;  /**< what was translated: blinded, if the program is */
	size_t n_insns;                 /**< slots */
	const uint32_t *starts;         /**< n_insns + 1 offsets in code: where each slot begins */
};

/**
 * The machine code that a program runs as, for who wants to show or to name it.
 * Behind the last slot's stand further entries, such as the one for batches.
 *
 * @param native  its size set; receives the rest.
 * @param err     receives one line; may be NULL.
 * @return 0; -ENOENT: the program is not machine code; -EINVAL: not that size.
 * Thread-safe.
 */
BPFSIFT_API int ebpf_prog_native(const struct ebpf_prog *prog, struct ebpf_native *native,
				 struct ebpf_err *err);

/** What is counted of a program's runs, by all threads together. */
struct ebpf_stats {
	size_t size;            /**< sizeof(struct ebpf_stats), set by the caller */
	uint64_t runs;
	uint64_t nanoseconds;   /**< that they took */
	/** Runs not made, since one was under way on the thread, or it had no memory to tell. */
	uint64_t misses;
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

/** What must be proven of a program for it to be loaded. */
enum ebpf_verify_mode {
	EBPF_VERIFY_OFF = 0,    /**< nothing: its runs are checked */
	/**
	 * That it touches only its memory, stack, maps and context, reads only
	 * what was written, hands helpers what they expect, and ends.
	 */
	EBPF_VERIFY_ON = 1,
	/** And that no address of the host gets into its result, its memory or its maps. */
	EBPF_VERIFY_NO_LEAKS = 2,
};

/**
 * A function of a program whose place ebpf_prog_extend() can give to another
 * program.  It is verified by itself, for any arguments of these kinds; what is
 * known of its result is that it is a number.
 */
struct ebpf_func_opts {
	size_t size;            /**< sizeof(struct ebpf_func_opts) */
	uint32_t insn;          /**< the slot that it begins at; something calls it */
	/** R1-R5: EBPF_ARG_NONE, EBPF_ARG_SCALAR, or EBPF_ARG_CTX, what R1 was at first. */
	uint8_t args[5];
};

/** What a program is loaded with beyond its instructions.  Zero is none. */
struct ebpf_load_opts {
	size_t size;            /**< sizeof(struct ebpf_load_opts) */
	/**
	 * The maps that it names, by index, and the descriptors under which
	 * 64-bit loads of source 1 and 2 name them; NULL: their indices.  The
	 * program takes references of its own.
	 */
	struct ebpf_map *const *maps;
	const int32_t *map_fds;
	size_t n_maps;
	/** Helpers beside those of the type. */
	const struct ebpf_helper_opts *const *helpers;
	size_t n_helpers;
	/**
	 * Called with what helper 6, trace_printk, prints: one line without
	 * newline.  By each thread that runs the program.  NULL: dropped.
	 */
	void (*print)(void *print_arg, const char *line);
	void *print_arg;
	uint64_t random_seed;   /**< of helper 7, get_prandom_u32; 0: one from the system */
	const struct ebpf_policy *policy;       /**< NULL: the default of each */
	/** Type raw, verified: bytes at R1, which is what R2 will say; at most INT32_MAX. */
	uint64_t mem_size;
	enum ebpf_verify_mode verify;
	/** Called with the verifier's walk, one line without newline at a time; NULL: none. */
	void (*log)(void *log_arg, const char *line);
	void *log_arg;
	/** Verified programs: functions that other programs can replace. */
	const struct ebpf_func_opts *const *funcs;
	size_t n_funcs;
	/**
	 * The program is to replace the function at slot extends_insn of this one,
	 * one of its funcs: it is verified, and its R1-R5 are that function's.
	 */
	struct ebpf_prog *extends;
	uint32_t extends_insn;
};

/**
 * Load a program with maps and helpers: as ebpf_prog_load(), and 64-bit loads
 * of maps and of addresses in their values (source 1, 2, 5 and 6) and of
 * subprograms (source 4) are resolved.
 *
 * A program that opts->verify asks to prove follows all its paths, with what is
 * known of each register; what is accepted runs without tests, see
 * ebpf_prog_exec().  Subprograms' addresses are not accepted.
 *
 * @param opts  borrowed for the call except where it says otherwise; may be
 *              NULL.
 * @return as ebpf_prog_load_by(); -ENOENT: names a map that is not in opts;
 *         and where it is to be verified -EACCES: not proven safe, err says at
 *         which instruction, what a register held there, and why; -E2BIG: not
 *         proven within 1,000,000 instructions visited; -ELOOP: never ends.
 * Thread-safe.
 */
BPFSIFT_API int ebpf_prog_load_opts(const struct ebpf_prog_type *type,
				    const struct ebpf_insn *insns, size_t n_insns,
				    const struct ebpf_load_opts *opts, struct ebpf_prog **out,
				    struct ebpf_err *err);

/**
 * Put a program in the place of the function that it was loaded for
 * (opts->extends): who calls the function from now on runs the program instead.
 * The other program takes a reference to it.
 *
 * @param ext  once, then it is that function for as long as it lasts.
 * @param err  receives one line; may be NULL.
 * @return 0; -EINVAL: loaded for no function, or one of the programs runs as
 *         machine code and the other does not; -EBUSY: it was put in its place
 *         before, the function is replaced already, or the other program is in
 *         a program array, where how deep its calls nest must not change;
 *         -E2BIG: calls would nest deeper than 8 frames; -ENOMEM.
 * Thread-safe, while other threads run the programs as well.
 */
BPFSIFT_API int ebpf_prog_extend(struct ebpf_prog *ext, struct ebpf_err *err);

/**
 * Give a function of prog its own instructions back.  The program that stood in
 * its place may be running: prog keeps it until ebpf_prog_reap() or its own end.
 *
 * @param insn  the slot that the function begins at.
 * @return 0; -ENOENT: no function that is replaced.
 * Thread-safe, while other threads run the programs as well.
 */
BPFSIFT_API int ebpf_prog_restore(struct ebpf_prog *prog, uint32_t insn);

/** Free the programs that stood in for functions of prog, which is not running. */
BPFSIFT_API void ebpf_prog_reap(struct ebpf_prog *prog);

/**
 * Have a program keep a map that its instructions do not name, for who asks
 * ebpf_prog_map(): what describes a program can so live as long as it does.
 *
 * @param map  the program takes a reference of its own, once.
 * @return 0, also if it has the map already; -ENOMEM.
 * Thread-safe, while other threads run the program as well.
 */
BPFSIFT_API int ebpf_prog_bind_map(struct ebpf_prog *prog, struct ebpf_map *map);

/**
 * The i-th map of a program, 0 the first: those that it was loaded with in their
 * order, then those bound to it.
 *
 * @return a reference to be given back with ebpf_map_put(); NULL: it has fewer.
 * Thread-safe, while other threads run the program as well.
 */
BPFSIFT_API struct ebpf_map *ebpf_prog_map(const struct ebpf_prog *prog, size_t i);

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
	 * Called after each executed instruction, NULL for none: its slot in
	 * the program that is running, and the registers as it left them.
	 */
	void (*trace)(void *trace_arg, size_t pc, const uint64_t regs[EBPF_MAX_REG]);
	void *trace_arg;
};

/**
 * Run a program with every jump, call and memory access tested as it happens.
 * The program may read and write its stack, the memory [mem, mem + len) and the
 * values of its maps, and nothing else; what it hands to helpers is tested too.
 *
 * @param prog  loaded with the type raw; or of another type and verified, or made
 *              by this library (sift_filter_ebpf()): then helpers may read what
 *              R1 leads to, and mem is what they expect.
 * @param mem   R1; borrowed for the call, written if the program does.
 * @param len   bytes at mem; R2, where the program was not verified for a size.
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

/**
 * Run a program that was verified, by what was chosen for it when it was
 * loaded: no access is tested, since each was proven.
 *
 * @param prog  loaded by ebpf_prog_load_opts() with opts->verify on, or made by
 *              this library (sift_filter_ebpf()).
 * @param mem   R1; borrowed for the call, written if the program does.  Aligned
 *              to 8 bytes where the program has atomic instructions, as a uint64_t
 *              where R1 is a context.  Type packet: a struct sift_view.
 * @param len   bytes at mem: at least as many as the program was verified for.
 * @param r0    receives R0 at exit, 0 from a run that is counted as a miss (struct
 *              ebpf_stats); untouched on failure.
 * @param err   receives one line; may be NULL.
 * @return 0; -EINVAL: not verified, memory too short or not aligned.
 * Thread-safe as far as mem is.
 */
BPFSIFT_API int ebpf_prog_exec(const struct ebpf_prog *prog, void *mem, size_t len, uint64_t *r0,
			       struct ebpf_err *err);

/* ---- object files ---- */

/**
 * An ELF object file for the target bpf, as "clang -target bpf -O2 -g -c" makes
 * it, with its maps: those defined in the sections .maps (which needs -g) and
 * maps, and for each section of data (.rodata, .data, .bss and those that begin
 * with these names and a dot) an array map of its name with one value.
 */
struct ebpf_object;

/** Bytes that the maps of an object may take together, as far as they can be told before. */
#define EBPF_OBJECT_MAX_BYTES 0x10000000u

/**
 * Read an object file and make its maps.
 *
 * @param bytes  the whole file; borrowed for the call.
 * @param len    bytes in it.
 * @param out    on success receives the object, to be closed with
 *               ebpf_object_close(); on failure left as it was.
 * @param err    receives one line; may be NULL.
 * @return 0; -EINVAL: not such a file, or damaged; -E2BIG: over
 *         EBPF_OBJECT_MAX_BYTES; -ENOMEM; -EOPNOTSUPP: built without libelf.
 * Thread-safe.
 */
BPFSIFT_API int ebpf_object_open(const void *bytes, size_t len, struct ebpf_object **out,
				 struct ebpf_err *err);

/** Close an object; programs loaded from it keep the maps.  NULL is fine. */
BPFSIFT_API void ebpf_object_close(struct ebpf_object *object);

/** The map of that name, borrowed until the object is closed; NULL: none. */
BPFSIFT_API struct ebpf_map *ebpf_object_map(const struct ebpf_object *object, const char *name);

/**
 * Load a program: a function, and all that it calls in this file.
 *
 * @param section   NULL: the first one with code that is not .text, else .text.
 * @param function  in that section; NULL: the one at its start.
 * @param type      as ebpf_prog_load().
 * @param opts      helpers and so on; without maps, those are the object's.
 *                  May be NULL.
 * @param out, err  as ebpf_prog_load().
 * @return as ebpf_prog_load_opts(); -ENOENT: no such section or function.
 * Thread-safe.
 */
BPFSIFT_API int ebpf_object_load(const struct ebpf_object *object, const char *section,
				 const char *function, const struct ebpf_prog_type *type,
				 const struct ebpf_load_opts *opts, struct ebpf_prog **out,
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
