/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tag of a program: a digest over its instructions as they were loaded.
 *
 * The kernel hashes its own memory; we hash the little-endian encoding, so that
 * a program has one tag on every machine, that of a little-endian kernel.
 * Digests come from libmd; nothing else includes it.
 */
#include "config.h"

#include "ebpf/tag.h"

#include "ebpf/err.h"
#include "ebpf/insn.h"
#include "ebpf/prog.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#ifdef HAVE_LIBMD
#include <sha1.h>
#include <sha2.h>

static void
store_le(uint8_t *p, uint32_t v, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void
encode(const struct ebpf_insn *insn, bool has_imm, uint8_t bytes[8])
{
	bytes[0] = insn->code;
	bytes[1] = (uint8_t)(insn->dst_reg | insn->src_reg << 4);
	store_le(bytes + 2, (uint16_t)insn->off, 2);
	store_le(bytes + 4, has_imm ? (uint32_t)insn->imm : 0, 4);
}

static bool
loads_map(const struct ebpf_insn *insn)
{
	int row = ebpf_op_of(insn);

	return row == EBPF_OP_LDDW_MAP_FD || row == EBPF_OP_LDDW_MAP_VALUE;
}

/* Feed all instructions to update, one wide or narrow one at a time. */
static void
digest(const struct ebpf_insn *insns, size_t n, void (*update)(void *ctx, const uint8_t *, size_t),
       void *ctx)
{
	for (size_t pc = 0; pc < n; pc++) {
		bool has_imm = !loads_map(&insns[pc]);
		uint8_t bytes[8];

		encode(&insns[pc], has_imm, bytes);
		update(ctx, bytes, sizeof(bytes));
		if (ebpf_code_is_wide(insns[pc].code) && pc + 1 < n) {
			encode(&insns[++pc], has_imm, bytes);
			update(ctx, bytes, sizeof(bytes));
		}
	}
}

static void
update_sha256(void *ctx, const uint8_t *bytes, size_t n)
{
	SHA256Update(ctx, bytes, n);
}

static void
update_sha1(void *ctx, const uint8_t *bytes, size_t n)
{
	SHA1Update(ctx, bytes, n);
}

int
ebpf_tag(const struct ebpf_insn *insns, size_t n, uint8_t tag[EBPF_TAG_SIZE], struct ebpf_err *err)
{
	uint8_t all[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx;

	(void)err;
	SHA256Init(&ctx);
	digest(insns, n, update_sha256, &ctx);
	SHA256Final(all, &ctx);
	memcpy(tag, all, EBPF_TAG_SIZE);
	return 0;
}

int
ebpf_tag_sha1(const struct ebpf_insn *insns, size_t n, uint8_t tag[EBPF_TAG_SIZE],
	      struct ebpf_err *err)
{
	uint8_t all[SHA1_DIGEST_LENGTH];
	SHA1_CTX ctx;

	(void)err;
	SHA1Init(&ctx);
	digest(insns, n, update_sha1, &ctx);
	SHA1Final(all, &ctx);
	memcpy(tag, all, EBPF_TAG_SIZE);
	return 0;
}

#else

int
ebpf_tag(const struct ebpf_insn *insns, size_t n, uint8_t tag[EBPF_TAG_SIZE], struct ebpf_err *err)
{
	(void)insns;
	(void)n;
	(void)tag;
	return ebpf_err_set(err, -ENOTSUP, "tag: this library was built without libmd");
}

int
ebpf_tag_sha1(const struct ebpf_insn *insns, size_t n, uint8_t tag[EBPF_TAG_SIZE],
	      struct ebpf_err *err)
{
	return ebpf_tag(insns, n, tag, err);
}

#endif

int
ebpf_prog_tag(const struct ebpf_prog *prog, uint8_t tag[EBPF_TAG_SIZE], struct ebpf_err *err)
{
	size_t n;
	const struct ebpf_insn *insns = ebpf_prog_insns(prog, &n);

	return ebpf_tag(insns, n, tag, err);
}

int
ebpf_prog_tag_sha1(const struct ebpf_prog *prog, uint8_t tag[EBPF_TAG_SIZE], struct ebpf_err *err)
{
	size_t n;
	const struct ebpf_insn *insns = ebpf_prog_insns(prog, &n);

	return ebpf_tag_sha1(insns, n, tag, err);
}
