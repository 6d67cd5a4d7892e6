/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/compare.h"

#include "cbpf/insn.h"
#include "ebpf/err.h"
#include "tests/diff/guard.h"
#include "tests/diff/minimise.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIFFERENCES 5

struct comparison {
	const struct diff_oracle *oracle;
	void *state;
	struct diff_tally *tally;
	FILE *out;
	struct ebpf_err *err;
	const struct diff_guard *guard;
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

/* ---- the oracle and the parties ---- */

/* The oracle sees the packet, and what it says of the program is defined. */
static bool
is_asked(const struct trial *t, size_t i)
{
	return !t->packets[i].is_unseen && !t->runs[i].is_undefined && !t->runs[i].is_exhausted;
}

/* An oracle that tells no more than whether a packet matches says yes to any such verdict. */
static uint32_t
widened(const struct diff_oracle *oracle, uint32_t said, uint32_t verdict)
{
	return oracle->tells_match && (said != 0) == (verdict != 0) ? verdict : said;
}

static void
ask_reference(const struct comparison *cmp, struct trial *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct diff_packet *p = &t->packets[i];

		t->runs[i] = reference_run(t->insns, cmp->oracle->dialect, &p->view, p->pay_offset);
		t->expected[i] = t->runs[i].verdict;
	}
}

/* The reference too, whose answers stand where the oracle has none. */
static int
ask_oracle(const struct comparison *cmp, struct trial *t)
{
	uint32_t verdicts[DIFF_PACKETS];
	bool skip[DIFF_PACKETS];
	int rc;

	ask_reference(cmp, t);
	for (size_t i = 0; i < t->n; i++)
		skip[i] = !is_asked(t, i);
	rc = cmp->oracle->judge(cmp->state, t->insns, t->n_insns, t->packets, t->n, skip, verdicts,
				cmp->err);
	for (size_t i = 0; i < t->n && rc == 0; i++) {
		if (!skip[i])
			t->expected[i] = widened(cmp->oracle, verdicts[i], t->runs[i].verdict);
	}
	return rc;
}

/* What a party says of a trial. */
static int
ask(const struct comparison *cmp, const struct diff_party *party, const struct trial *t,
    uint32_t *verdicts)
{
	struct cbpf_prog *prog;
	int rc = cbpf_check(t->insns, t->n_insns, cmp->oracle->dialect, &prog, cmp->err);

	if (rc < 0)
		return rc;
	if (party == NULL) {
		for (size_t i = 0; i < t->n; i++)
			verdicts[i] = t->runs[i].verdict;
	} else {
		rc = diff_party_ask(party, prog, t->packets, t->n, verdicts, cmp->err);
	}
	cbpf_prog_free(prog);
	return rc;
}

static const char *
name_of(const struct diff_party *party)
{
	return party != NULL ? party->name : "reference";
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

/* What a smaller program has to show: who, of which packet; NULL: that it is refused. */
struct difference {
	const struct comparison *cmp;
	const struct diff_party *party; /* NULL: the reference, or for a refusal the oracle */
	const struct diff_packet *packet;
};

/* The oracle may have nothing to say: then the reference has. */
static bool
is_answer(int rc)
{
	return rc == 0 || rc == -ENOTSUP || rc == -E2BIG;
}

static bool
still_refused(const struct difference *d, struct trial *t)
{
	uint32_t verdicts[DIFF_PACKETS];
	int rc;

	if (d->party == NULL)
		return ask_oracle(d->cmp, t) == -EINVAL;
	rc = ask(d->cmp, d->party, t, verdicts);
	return rc < 0 && rc != -ENOTSUP;
}

static bool
still_differs(void *arg, const struct cbpf_insn *insns, size_t n_insns)
{
	const struct difference *d = arg;
	struct trial t = {
		.insns = insns, .n_insns = n_insns, .packets = d->packet, .n = d->packet != NULL
	};
	struct cbpf_prog *prog;
	uint32_t verdict;

	if (has_random(insns, n_insns) ||
	    cbpf_check(insns, n_insns, d->cmp->oracle->dialect, &prog, NULL) < 0)
		return false;
	cbpf_prog_free(prog);
	if (d->packet == NULL)
		return still_refused(d, &t);
	return is_answer(ask_oracle(d->cmp, &t)) && ask(d->cmp, d->party, &t, &verdict) == 0 &&
	       verdict != t.expected[0];
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
print_smaller(struct difference *d, const struct cbpf_insn *insns, size_t n_insns)
{
	struct cbpf_insn *smaller = calloc(n_insns, sizeof(*smaller));

	if (smaller == NULL)
		return;
	memcpy(smaller, insns, n_insns * sizeof(*smaller));
	n_insns = diff_minimise(smaller, n_insns, still_differs, d);
	fprintf(d->cmp->out, "made smaller:\n");
	print_program(smaller, n_insns, d->cmp->out);
	free(smaller);
}

static void
report(const struct comparison *cmp, const struct diff_case *c, const struct trial *t, size_t i,
       const struct diff_party *party, uint32_t verdict)
{
	struct difference d = { cmp, party, &t->packets[i] };

	fprintf(cmp->out,
		"\nDIFFERENCE: %s says %" PRIu32 " (0x%08" PRIx32 "), %s %" PRIu32 " (0x%08" PRIx32
		"); reference %" PRIu32 "\n",
		name_of(party), verdict, verdict, is_asked(t, i) ? cmp->oracle->name : "reference",
		t->expected[i], t->expected[i], t->runs[i].verdict);
	print_repeat(cmp, c);
	fprintf(cmp->out, "program of case %" PRIu64 ", packet %zu:\n", c->index, i);
	print_program(t->insns, t->n_insns, cmp->out);
	print_packet(&t->packets[i], cmp->out);
	print_smaller(&d, t->insns, t->n_insns);
	fflush(cmp->out);
}

/* A program that somebody refuses although it is valid; NULL: the oracle. */
static void
report_refusal(const struct comparison *cmp, const struct diff_case *c,
	       const struct diff_party *party)
{
	struct difference d = { cmp, party, NULL };

	fprintf(cmp->out, "\nDIFFERENCE: %s refuses a valid program: %s\n",
		party != NULL ? party->name : cmp->oracle->name, cmp->err->text);
	print_repeat(cmp, c);
	print_program(c->insns, c->n_insns, cmp->out);
	print_smaller(&d, c->insns, c->n_insns);
	fflush(cmp->out);
	cmp->tally->n_differences++;
}

/* ---- a case ---- */

/* Compare with what a party says; one report for each program. */
static bool
agrees(const struct comparison *cmp, const struct diff_case *c, const struct trial *t,
       const struct diff_party *party)
{
	uint32_t verdicts[DIFF_PACKETS];
	int rc = ask(cmp, party, t, verdicts);

	if (rc == -ENOTSUP)
		return true;
	if (rc < 0) {
		report_refusal(cmp, c, party);
		return false;
	}
	for (size_t i = 0; i < t->n; i++) {
		if (verdicts[i] == t->expected[i])
			continue;
		cmp->tally->n_differences++;
		report(cmp, c, t, i, party, verdicts[i]);
		return false;
	}
	if (party != NULL)
		cmp->tally->judged[party - diff_parties] += t->n;
	return true;
}

static void
count(struct diff_tally *tally, const struct trial *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct reference_run *run = &t->runs[i];

		if (!is_asked(t, i)) {
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

/* Those parties whose turn it is, of target buffer or of the others.  False: one disagrees. */
static bool
agree(const struct comparison *cmp, const struct diff_case *c, const struct trial *t,
      bool is_buffer)
{
	for (size_t i = 0; i < DIFF_PARTIES; i++) {
		const struct diff_party *party = &diff_parties[i];

		if (party->is_buffer == is_buffer && diff_party_is_on(party, c->index) &&
		    !agrees(cmp, c, t, party))
			return false;
	}
	return true;
}

/*
 * A buffer is all of its packet, its headers are where Ethernet has them, and nobody knows
 * more of it.  The running kernel does, and is not asked again.
 */
static int
compare_buffer(const struct comparison *cmp, const struct diff_case *c, struct trial *t)
{
	struct diff_packet whole[DIFF_PACKETS];
	int rc = 0;

	for (size_t i = 0; i < t->n; i++) {
		whole[i] = t->packets[i];
		whole[i].view.wirelen = whole[i].view.caplen;
		whole[i].view.mac_off = 0;
		whole[i].view.net_off = 14;
		whole[i].view.known = 0;
	}
	t->packets = whole;
	if (cmp->oracle->is_kernel)
		ask_reference(cmp, t);
	else if ((rc = ask_oracle(cmp, t)) < 0)
		return rc;
	agree(cmp, c, t, true);
	return 0;
}

static int
compare_case(const struct comparison *cmp, struct diff_case *c)
{
	struct diff_packet guarded[DIFF_PACKETS];
	struct trial t = { c->insns, c->n_insns, guarded, DIFF_PACKETS, { { 0 } }, { 0 } };
	int rc;

	memcpy(guarded, c->packets, sizeof(guarded));
	diff_guard_take(cmp->guard, guarded, DIFF_PACKETS);
	rc = ask_oracle(cmp, &t);
	if (rc == -EINVAL) {
		report_refusal(cmp, c, NULL);
		return 0;
	}
	if (!is_answer(rc))
		return rc;
	cmp->tally->n_cases++;
	cmp->tally->n_inexpressible += rc == -ENOTSUP;
	cmp->tally->n_too_long += rc == -E2BIG;
	if (rc == 0)
		count(cmp->tally, &t);
	if (!agrees(cmp, c, &t, NULL) || !agree(cmp, c, &t, false))
		return 0;
	return diff_asks_buffer(c->index) ? compare_buffer(cmp, c, &t) : 0;
}

int
diff_compare(const struct diff_oracle *oracle, void *state, uint64_t seed, uint64_t first,
	     uint64_t n, struct diff_tally *tally, FILE *out, struct ebpf_err *err)
{
	/* kept: to make it takes as long as to judge a few cases */
	static struct diff_guard guard;
	const struct comparison cmp = { oracle, state, tally, out, err, &guard };
	int rc = 0;

	if (guard.memory == NULL && (rc = diff_guard_open(&guard)) < 0)
		return ebpf_err_set(err, rc, "out of memory");
	for (uint64_t i = first; i - first < n && rc == 0; i++) {
		struct diff_case c;

		if (tally->n_differences >= MAX_DIFFERENCES)
			break;
		diff_case_init(&c, oracle->dialect, seed, i);
		rc = oracle->meet != NULL ? oracle->meet(state, &c, err) : 0;
		if (rc == 0)
			rc = compare_case(&cmp, &c);
		if (oracle->part != NULL)
			oracle->part(&c);
		diff_case_fini(&c);
	}
	return rc;
}

int
diff_oracle_open(const struct diff_oracle *oracle, void **state, struct ebpf_err *err)
{
	*state = NULL;
	return oracle->open != NULL ? oracle->open(state, err) : 0;
}

void
diff_oracle_close(const struct diff_oracle *oracle, void *state)
{
	if (oracle->close != NULL)
		oracle->close(state);
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
	sum->n_inexpressible += tally->n_inexpressible;
	sum->n_too_long += tally->n_too_long;
	sum->n_differences += tally->n_differences;
	for (size_t i = 0; i < N_ELEMS(sum->judged); i++)
		sum->judged[i] += tally->judged[i];
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

/* By engine and target, the pairs of levels 0, 1 and 2. */
static void
print_parties(const struct diff_tally *tally, FILE *out)
{
	for (size_t i = 0; i + 2 < DIFF_PARTIES; i += 3)
		fprintf(out,
			"%.*s: %" PRIu64 ", %" PRIu64 ", %" PRIu64 " pairs at levels 0, 1, 2\n",
			(int)strcspn(diff_parties[i].name, "0") - (int)strlen(", level "),
			diff_parties[i].name, tally->judged[i], tally->judged[i + 1],
			tally->judged[i + 2]);
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
	print_parties(tally, out);
	fprintf(out,
		"besides: %" PRIu64
		" pairs without a defined answer of the oracle, compared with the reference\n",
		tally->n_undefined);
	if (tally->n_inexpressible + tally->n_too_long > 0)
		fprintf(out,
			"of the programs: %" PRIu64 " ask for what the target has not, %" PRIu64
			" loop or are too long for the kernel's verifier\n",
			tally->n_inexpressible, tally->n_too_long);
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
