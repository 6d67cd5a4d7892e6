/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/compare.h"

#include "cbpf/insn.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIFFERENCES 5
/* One case in so many goes through target buffer and the checked interpreter too. */
#define BUFFER_EVERY 8
/* Programs longer than this are not made smaller: each try costs a comparison. */
#define MINIMISE_MAX 2000

/* Who disagrees with the oracle. */
enum party {
	PARTY_REFERENCE,
	PARTY_FILTER_0,
	PARTY_FILTER_1,
	PARTY_FILTER_2,
	PARTY_BUFFER_0,
	PARTY_BUFFER_1,
	PARTY_BUFFER_2,
	N_PARTIES
};

static const char *const party_names[] = {
	"reference",
	"sift_filter_batch, level 0",
	"sift_filter_batch, level 1",
	"sift_filter_batch, level 2",
	"target buffer, level 0",
	"target buffer, level 1",
	"target buffer, level 2",
};

static const enum cbpf_level party_levels[] = {
	CBPF_LEVEL_DEFAULT, CBPF_LEVEL_0, CBPF_LEVEL_1, CBPF_LEVEL_2,
	CBPF_LEVEL_0,       CBPF_LEVEL_1, CBPF_LEVEL_2,
};

struct comparison {
	const struct diff_oracle *oracle;
	void *state;
	struct diff_tally *tally;
	FILE *out;
	struct ebpf_err *err;
};

/* A program and what is to be said of the packets that it judges. */
struct trial {
	const struct cbpf_insn *insns;
	size_t n_insns;
	const struct diff_packet *packets;
	size_t n;
	struct reference_run runs[DIFF_PACKETS];
	uint32_t expected[DIFF_PACKETS]; /* the oracle's, else the reference's */
};

/* ---- the parties ---- */

static int
ask_oracle(const struct comparison *cmp, struct trial *t)
{
	bool skip[DIFF_PACKETS];
	int rc;

	for (size_t i = 0; i < t->n; i++) {
		const struct diff_packet *p = &t->packets[i];

		t->runs[i] = reference_run(t->insns, cmp->oracle->dialect, &p->view, p->pay_offset);
		skip[i] = t->runs[i].is_undefined || t->runs[i].is_exhausted;
	}
	rc = cmp->oracle->judge(cmp->state, t->insns, t->n_insns, t->packets, t->n, skip,
				t->expected, cmp->err);
	for (size_t i = 0; i < t->n; i++) {
		if (skip[i])
			t->expected[i] = t->runs[i].verdict;
	}
	return rc;
}

static int
ask_filter(const struct cbpf_prog *prog, enum cbpf_level level, const struct diff_packet *packets,
	   size_t n, uint32_t *verdicts, struct ebpf_err *err)
{
	const struct sift_filter_opts opts = { .size = sizeof(opts), .level = level };
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
run_buffer(const struct cbpf_lowered *lowered, const struct diff_packet *packets, size_t n,
	   uint32_t *verdicts, struct ebpf_err *err)
{
	struct ebpf_prog *prog;
	int rc = ebpf_prog_load(ebpf_prog_type_raw(), lowered->insns, lowered->n_insns, &prog, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct sift_view *v = &packets[i].view;
		uint64_t r0 = 0;

		rc = ebpf_prog_run_checked(prog, (void *)(uintptr_t)v->data, v->caplen, NULL, &r0,
					   err);
		verdicts[i] = (uint32_t)r0;
	}
	ebpf_prog_put(prog);
	return rc;
}

/* -ENOTSUP: the program asks for what a buffer has not. */
static int
ask_buffer(const struct cbpf_prog *prog, enum cbpf_level level, const struct diff_packet *packets,
	   size_t n, uint32_t *verdicts, struct ebpf_err *err)
{
	static const struct cbpf_net_base ethernet = { .off = 14 };
	struct cbpf_lower_opts opts = { .size = sizeof(opts), .net_base = &ethernet,
					.level = level };
	struct cbpf_lowered lowered = { NULL, 0, NULL };
	int rc = cbpf_lower(prog, CBPF_TARGET_BUFFER, &opts, &lowered, err);

	if (rc == -EINVAL)
		return -ENOTSUP;
	if (rc == 0)
		rc = run_buffer(&lowered, packets, n, verdicts, err);
	cbpf_lowered_free(&lowered);
	return rc;
}

/* What a party says of a trial. */
static int
ask(const struct comparison *cmp, enum party party, const struct trial *t, uint32_t *verdicts)
{
	struct cbpf_prog *prog;
	int rc;

	if (party == PARTY_REFERENCE) {
		for (size_t i = 0; i < t->n; i++)
			verdicts[i] = t->runs[i].verdict;
		return 0;
	}
	if ((rc = cbpf_check(t->insns, t->n_insns, cmp->oracle->dialect, &prog, cmp->err)) < 0)
		return rc;
	if (party < PARTY_BUFFER_0)
		rc = ask_filter(prog, party_levels[party], t->packets, t->n, verdicts, cmp->err);
	else
		rc = ask_buffer(prog, party_levels[party], t->packets, t->n, verdicts, cmp->err);
	cbpf_prog_free(prog);
	return rc;
}

/* ---- making a program smaller ---- */

static bool
has_random(const struct cbpf_insn *insns, size_t n_insns)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		if ((insns[pc].code & 0xe7) == (CBPF_LD | CBPF_ABS) &&
		    insns[pc].k == (uint32_t)CBPF_AD_OFF + CBPF_AD_RANDOM)
			return true;
	}
	return false;
}

static bool
still_differs(const struct comparison *cmp, enum party party, const struct cbpf_insn *insns,
	      size_t n_insns, const struct diff_packet *packet)
{
	struct trial t = { .insns = insns, .n_insns = n_insns, .packets = packet, .n = 1 };
	uint32_t verdict;
	struct cbpf_prog *prog;

	if (has_random(insns, n_insns) ||
	    cbpf_check(insns, n_insns, cmp->oracle->dialect, &prog, NULL) < 0)
		return false;
	cbpf_prog_free(prog);
	return ask_oracle(cmp, &t) == 0 && ask(cmp, party, &t, &verdict) == 0 &&
	       verdict != t.expected[0];
}

/* Where an instruction's jump lands once the one at gone is taken out. */
static uint32_t
over(size_t pc, uint32_t k, size_t gone)
{
	uint32_t target = (uint32_t)pc + 1 + k;

	return k - (pc < gone && target > gone) + (pc > gone && target <= gone);
}

static void
take_out(const struct cbpf_insn *insns, size_t n_insns, size_t gone, struct cbpf_insn *out)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		struct cbpf_insn insn = insns[pc];

		if (pc == gone)
			continue;
		if (insn.code == (CBPF_JMP | CBPF_JA)) {
			insn.k = over(pc, insn.k, gone);
		} else if (CBPF_CLASS(insn.code) == CBPF_JMP) {
			insn.jt = (uint8_t)over(pc, insn.jt, gone);
			insn.jf = (uint8_t)over(pc, insn.jf, gone);
		}
		*out++ = insn;
	}
}

/* Take out instructions, one at a time, while the difference stays. */
static size_t
minimise(const struct comparison *cmp, enum party party, struct cbpf_insn *insns, size_t n_insns,
	 const struct diff_packet *packet)
{
	struct cbpf_insn *smaller = calloc(n_insns, sizeof(*insns));
	bool progress = smaller != NULL && n_insns <= MINIMISE_MAX;

	while (progress) {
		progress = false;
		for (size_t pc = n_insns; pc-- > 0 && n_insns > 1;) {
			take_out(insns, n_insns, pc, smaller);
			if (!still_differs(cmp, party, smaller, n_insns - 1, packet))
				continue;
			n_insns--;
			memcpy(insns, smaller, n_insns * sizeof(*insns));
			progress = true;
		}
	}
	free(smaller);
	return n_insns;
}

/* ---- saying what differs ---- */

static void
print_program(const struct cbpf_insn *insns, size_t n_insns, FILE *out)
{
	fprintf(out, "%zu\n", n_insns);
	for (size_t pc = 0; pc < n_insns; pc++)
		fprintf(out, "%u %u %u %" PRIu32 "\n", insns[pc].code, insns[pc].jt, insns[pc].jf,
			insns[pc].k);
}

static void
print_packet(const struct diff_packet *p, FILE *out)
{
	const struct sift_view *v = &p->view;

	fprintf(out, "packet: ");
	for (uint32_t i = 0; i < v->caplen; i++)
		fprintf(out, "%02x", v->data[i]);
	fprintf(out,
		"\nview: caplen=%" PRIu32 " wirelen=%" PRIu32 " mac_off=%" PRIu32
		" net_off=%" PRIu32 " known=0x%" PRIx32 " protocol=0x%x pkttype=%u ifindex=%" PRIu32
		" hatype=%u"
		" mark=%" PRIu32 " queue=%u rxhash=%" PRIu32 " cpu=%" PRIu32
		" vlan_present=%u vlan_tci=%u vlan_proto=0x%x pay_offset=%" PRIu32 "\n",
		v->caplen, v->wirelen, v->mac_off, v->net_off, v->known, v->protocol, v->pkttype,
		v->ifindex, v->hatype, v->mark, v->queue, v->rxhash, v->cpu, v->vlan_present,
		v->vlan_tci, v->vlan_proto, p->pay_offset);
}

static void
print_repeat(const struct comparison *cmp, const struct diff_case *c)
{
	fprintf(cmp->out,
		"repeat: make differential ORACLE=%s SEED=%" PRIu64 " OFFSET=%" PRIu64
		" PAIRS=%d\n",
		cmp->oracle->name, c->seed, c->index * DIFF_PACKETS, DIFF_PACKETS);
}

static void
report(const struct comparison *cmp, const struct diff_case *c, const struct trial *t, size_t i,
       enum party party, uint32_t verdict)
{
	const struct diff_packet *p = &t->packets[i];
	struct cbpf_insn *insns = calloc(t->n_insns, sizeof(*insns));
	bool by_oracle = !t->runs[i].is_undefined && !t->runs[i].is_exhausted;
	size_t n_insns = t->n_insns;

	fprintf(cmp->out,
		"\nDIFFERENCE: %s says %" PRIu32 " (0x%08" PRIx32 "), %s %" PRIu32 " (0x%08" PRIx32
		"); reference %" PRIu32 "\n",
		party_names[party], verdict, verdict, by_oracle ? cmp->oracle->name : "reference",
		t->expected[i], t->expected[i], t->runs[i].verdict);
	print_repeat(cmp, c);
	fprintf(cmp->out, "program of case %" PRIu64 ", packet %zu:\n", c->index, i);
	print_program(t->insns, t->n_insns, cmp->out);
	print_packet(p, cmp->out);
	if (insns != NULL) {
		memcpy(insns, t->insns, n_insns * sizeof(*insns));
		n_insns = minimise(cmp, party, insns, n_insns, p);
		fprintf(cmp->out, "made smaller:\n");
		print_program(insns, n_insns, cmp->out);
	}
	free(insns);
	fflush(cmp->out);
}

/* A program that somebody refuses although it is valid. */
static void
report_refusal(const struct comparison *cmp, const struct diff_case *c, const char *who)
{
	fprintf(cmp->out, "\nDIFFERENCE: %s refuses a valid program: %s\n", who, cmp->err->text);
	print_repeat(cmp, c);
	print_program(c->insns, c->n_insns, cmp->out);
	fflush(cmp->out);
	cmp->tally->n_differences++;
}

/* ---- a case ---- */

/* Compare with what a party says; one report for each program. */
static bool
agrees(const struct comparison *cmp, const struct diff_case *c, const struct trial *t,
       enum party party)
{
	uint32_t verdicts[DIFF_PACKETS];
	int rc = ask(cmp, party, t, verdicts);

	if (rc == -ENOTSUP)
		return true;
	if (rc < 0) {
		report_refusal(cmp, c, party_names[party]);
		return false;
	}
	for (size_t i = 0; i < t->n; i++) {
		if (verdicts[i] == t->expected[i])
			continue;
		cmp->tally->n_differences++;
		report(cmp, c, t, i, party, verdicts[i]);
		return false;
	}
	if (party == PARTY_BUFFER_2)
		cmp->tally->n_buffer += t->n;
	return true;
}

static void
count(struct diff_tally *tally, const struct trial *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct reference_run *run = &t->runs[i];

		if (run->is_undefined || run->is_exhausted) {
			tally->n_undefined++;
			continue;
		}
		tally->n_pairs++;
		tally->n_nonzero += t->expected[i] != 0;
		tally->steps[run->n_steps < DIFF_STEPS ? run->n_steps : DIFF_STEPS]++;
		for (unsigned code = 0; code < 256; code++)
			tally->executed[code] += run->codes[code / 64] >> code % 64 & 1;
		for (unsigned load = 0; load < REFERENCE_N_SPECIAL; load++)
			tally->special[load] += run->special >> load & 1;
	}
}

/* A buffer is all of its packet, and its headers are where Ethernet has them. */
static int
compare_buffer(const struct comparison *cmp, const struct diff_case *c, struct trial *t)
{
	struct diff_packet whole[DIFF_PACKETS];
	int rc;

	for (size_t i = 0; i < t->n; i++) {
		whole[i] = t->packets[i];
		whole[i].view.wirelen = whole[i].view.caplen;
		whole[i].view.mac_off = 0;
		whole[i].view.net_off = 14;
	}
	t->packets = whole;
	rc = ask_oracle(cmp, t);
	for (enum party p = PARTY_BUFFER_0; p < N_PARTIES && rc == 0; p++) {
		if (!agrees(cmp, c, t, p))
			break;
	}
	return rc;
}

static int
compare_case(const struct comparison *cmp, struct diff_case *c)
{
	struct trial t = { c->insns, c->n_insns, c->packets, DIFF_PACKETS, { { 0 } }, { 0 } };
	int rc = ask_oracle(cmp, &t);

	if (rc == -EINVAL) {
		report_refusal(cmp, c, cmp->oracle->name);
		return 0;
	}
	if (rc < 0)
		return rc;
	cmp->tally->n_cases++;
	count(cmp->tally, &t);
	for (enum party p = PARTY_REFERENCE; p < PARTY_BUFFER_0; p++) {
		if (!agrees(cmp, c, &t, p))
			return 0;
	}
	return c->index % BUFFER_EVERY == 0 ? compare_buffer(cmp, c, &t) : 0;
}

int
diff_compare(const struct diff_oracle *oracle, void *state, uint64_t seed, uint64_t first,
	     uint64_t n, struct diff_tally *tally, FILE *out, struct ebpf_err *err)
{
	const struct comparison cmp = { oracle, state, tally, out, err };
	int rc = 0;

	for (uint64_t i = first; i - first < n && rc == 0; i++) {
		struct diff_case c;

		if (tally->n_differences >= MAX_DIFFERENCES)
			break;
		diff_case_init(&c, oracle->dialect, seed, i);
		rc = oracle->meet(state, &c, err);
		if (rc == 0)
			rc = compare_case(&cmp, &c);
		oracle->part(&c);
		diff_case_fini(&c);
	}
	return rc;
}

/* ---- the tally ---- */

static const char *const special_names[REFERENCE_N_SPECIAL] = {
	"protocol",  "pkttype",  "ifindex",          "nlattr",     "nlattr_nest",
	"mark",      "queue",    "hatype",           "rxhash",     "cpu",
	"alu_xor_x", "vlan_tag", "vlan_tag_present", "pay_offset", "random",
	"vlan_tpid", "net abs",  "net ind",          "net msh",    "ll abs",
	"ll ind",    "ll msh",
};

void
diff_tally_add(struct diff_tally *sum, const struct diff_tally *tally)
{
	sum->n_cases += tally->n_cases;
	sum->n_pairs += tally->n_pairs;
	sum->n_nonzero += tally->n_nonzero;
	sum->n_undefined += tally->n_undefined;
	sum->n_buffer += tally->n_buffer;
	sum->n_differences += tally->n_differences;
	for (size_t i = 0; i < N_ELEMS(sum->executed); i++)
		sum->executed[i] += tally->executed[i];
	for (size_t i = 0; i < N_ELEMS(sum->special); i++)
		sum->special[i] += tally->special[i];
	for (size_t i = 0; i < N_ELEMS(sum->steps); i++)
		sum->steps[i] += tally->steps[i];
}

static unsigned
median_path(const struct diff_tally *tally)
{
	uint64_t seen = 0;

	for (unsigned steps = 0; steps <= DIFF_STEPS; steps++) {
		seen += tally->steps[steps];
		if (2 * seen >= tally->n_pairs)
			return steps;
	}
	return 0;
}

/* The legal code that the fewest pairs executed. */
static unsigned
rarest_code(const struct diff_tally *tally)
{
	unsigned rarest = cbpf_ops[0].code;

	for (size_t op = 1; op < CBPF_N_OPS; op++) {
		if (tally->executed[cbpf_ops[op].code] < tally->executed[rarest])
			rarest = cbpf_ops[op].code;
	}
	return rarest;
}

void
diff_tally_print(const struct diff_tally *tally, FILE *out)
{
	unsigned rarest = rarest_code(tally);
	uint64_t n = tally->n_pairs > 0 ? tally->n_pairs : 1;

	fprintf(out,
		"%" PRIu64 " pairs of %" PRIu64 " programs compared, %" PRIu64 " differences\n",
		tally->n_pairs, tally->n_cases, tally->n_differences);
	fprintf(out, "verdict not 0: %.1f %%\n", 100.0 * (double)tally->n_nonzero / (double)n);
	fprintf(out, "executed path: median %u instructions\n", median_path(tally));
	fprintf(out, "rarest code: 0x%02x, executed by %" PRIu64 " pairs\n", rarest,
		tally->executed[rarest]);
	if (tally->special[REFERENCE_NET_ABS] > 0) {
		fprintf(out, "special loads, by pairs:");
		for (size_t i = 0; i < N_ELEMS(special_names); i++)
			fprintf(out, " %s %" PRIu64, special_names[i], tally->special[i]);
		fprintf(out, "\n");
	}
	fprintf(out,
		"besides: %" PRIu64 " pairs through target buffer; %" PRIu64
		" without a defined answer of the oracle, compared with the reference\n",
		tally->n_buffer, tally->n_undefined);
	fflush(out);
}

bool
diff_tally_suffices(const struct diff_tally *tally, enum cbpf_dialect dialect, FILE *out)
{
	bool suffices = true;

	if (tally->n_nonzero * 4 < tally->n_pairs) {
		fprintf(out, "too few verdicts that are not 0\n");
		suffices = false;
	}
	if (median_path(tally) < 8) {
		fprintf(out, "paths too short\n");
		suffices = false;
	}
	for (size_t op = 0; op < CBPF_N_OPS; op++) {
		if (tally->executed[cbpf_ops[op].code] >= 1000)
			continue;
		fprintf(out, "code 0x%02x (%s: %s) executed by %" PRIu64 " pairs only\n",
			cbpf_ops[op].code, cbpf_ops[op].text, cbpf_ops[op].meaning,
			tally->executed[cbpf_ops[op].code]);
		suffices = false;
	}
	for (size_t i = 0; i < REFERENCE_N_SPECIAL && dialect == CBPF_DIALECT_KERNEL; i++) {
		if (tally->special[i] >= 100)
			continue;
		fprintf(out, "load of %s: by %" PRIu64 " pairs only\n", special_names[i],
			tally->special[i]);
		suffices = false;
	}
	return suffices;
}
