/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/party.h"

#include "ebpf/prog.h"
#include "tests/support/suite.h"

#include <errno.h>

/*
 * Machine code of each level judges each case, and one other engine each: what most of the
 * time goes into is making programs.  Target buffer is asked on every eighth.
 */
#define BUFFER_EVERY 8

/* clang-format off */
#define POLICY(a_jit, a_blinding)                                                                  \
	{                                                                                          \
		.size = sizeof(struct ebpf_policy), .jit = EBPF_JIT_##a_jit,                       \
		.blinding = EBPF_BLINDING_##a_blinding,                                            \
	}
#define PACKET(a_name, a_level, a_n_turns, a_turn, a_jit, a_blinding)                              \
	{                                                                                          \
		.name = a_name ", level " #a_level, .n_turns = a_n_turns, .turn = a_turn,          \
		.level = CBPF_LEVEL_##a_level, .policy = POLICY(a_jit, a_blinding),                \
	}
#define PACKETS(a_name, a_first, a_jit, a_blinding)                                                \
	PACKET(a_name, 0, 9, a_first, a_jit, a_blinding),                                          \
	PACKET(a_name, 1, 9, a_first + 1, a_jit, a_blinding),                                      \
	PACKET(a_name, 2, 9, a_first + 2, a_jit, a_blinding)
#define BUFFER(a_name, a_level, a_turn, a_jit, a_blinding, a_checked)                              \
	{                                                                                          \
		.name = "target buffer, " a_name ", level " #a_level, .n_turns = 4 * BUFFER_EVERY, \
		.turn = BUFFER_EVERY * a_turn, .is_buffer = true, .is_checked = a_checked,         \
		.level = CBPF_LEVEL_##a_level, .policy = POLICY(a_jit, a_blinding),                \
	}
#define BUFFERS(a_name, a_turn, a_jit, a_blinding, a_checked)                                      \
	BUFFER(a_name, 0, a_turn, a_jit, a_blinding, a_checked),                                   \
	BUFFER(a_name, 1, a_turn, a_jit, a_blinding, a_checked),                                   \
	BUFFER(a_name, 2, a_turn, a_jit, a_blinding, a_checked)

/* Where there is no JIT, the interpreter is asked in its place. */
const struct diff_party diff_parties[DIFF_PARTIES] = {
	PACKET("machine code", 0, 1, 0, ON, OFF),
	PACKET("machine code", 1, 1, 0, ON, OFF),
	PACKET("machine code", 2, 1, 0, ON, OFF),
	PACKETS("interpreter", 0, OFF, OFF),
	PACKETS("blinded machine code", 3, ON, ALWAYS),
	PACKETS("blinded interpreter", 6, OFF, ALWAYS),
	BUFFERS("machine code", 0, ON, OFF, false),
	BUFFERS("interpreter", 1, OFF, OFF, false),
	BUFFERS("blinded machine code", 2, ON, ALWAYS, false),
	BUFFERS("checked interpreter", 3, OFF, OFF, true),
};

/* clang-format on */
#undef BUFFERS
#undef BUFFER
#undef PACKETS
#undef PACKET
#undef POLICY

bool
diff_party_is_on(const struct diff_party *party, uint64_t index)
{
	return index % party->n_turns == party->turn;
}

bool
diff_asks_buffer(uint64_t index)
{
	return index % BUFFER_EVERY == 0;
}

static int
ask_filter(const struct diff_party *party, const struct cbpf_prog *prog,
	   const struct diff_packet *packets, size_t n, uint32_t *verdicts, struct ebpf_err *err)
{
	const struct sift_filter_opts opts = {
		.size = sizeof(opts),
		.policy = &party->policy,
		.level = party->level,
	};
	struct sift_view views[DIFF_PACKETS];
	struct sift_filter *filter;
	int rc = sift_filter_new(prog, &opts, &filter, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		views[i] = packets[i].view;
	sift_filter_batch(filter, views, n, verdicts);
	sift_filter_free(filter);
	return 0;
}

static int
run_buffer(const struct diff_party *party, const struct cbpf_lowered *lowered,
	   const struct diff_packet *packets, size_t n, uint32_t *verdicts, struct ebpf_err *err)
{
	const struct ebpf_prog_type *type = ebpf_prog_type_raw();
	struct ebpf_prog *prog;
	int rc = party->is_checked
			 ? ebpf_prog_load(type, lowered->insns, lowered->n_insns, &prog, err)
			 : ebpf_prog_load_trusted_by(type, lowered->insns, lowered->n_insns, NULL,
						     &party->policy, &prog, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct sift_view *v = &packets[i].view;
		uint64_t r0 = 0;

		if (party->is_checked)
			rc = ebpf_prog_run_checked(prog, (void *)(uintptr_t)v->data, v->caplen,
						   NULL, &r0, err);
		else
			r0 = ebpf_prog_run(prog, (uintptr_t)v->data, v->caplen);
		verdicts[i] = (uint32_t)r0;
	}
	ebpf_prog_put(prog);
	return rc;
}

static int
ask_buffer(const struct diff_party *party, const struct cbpf_prog *prog,
	   const struct diff_packet *packets, size_t n, uint32_t *verdicts, struct ebpf_err *err)
{
	static const struct cbpf_net_base ethernet = { .off = 14 };
	const struct cbpf_lower_opts opts = {
		.size = sizeof(opts),
		.net_base = &ethernet,
		.level = party->level,
	};
	struct cbpf_lowered lowered = { NULL, 0, NULL };
	int rc = cbpf_lower(prog, CBPF_TARGET_BUFFER, &opts, &lowered, err);

	if (rc == -EINVAL)
		return -ENOTSUP;
	if (rc == 0)
		rc = run_buffer(party, &lowered, packets, n, verdicts, err);
	cbpf_lowered_free(&lowered);
	return rc;
}

int
diff_party_ask(const struct diff_party *party, const struct cbpf_prog *prog,
	       const struct diff_packet *packets, size_t n, uint32_t *verdicts,
	       struct ebpf_err *err)
{
	return (party->is_buffer ? ask_buffer : ask_filter)(party, prog, packets, n, verdicts, err);
}
