/* SPDX-License-Identifier: BSD-2-Clause */
/* Usage: replay_TARGET FILE...: run a fuzz target over each of the files. */
#include "fuzz/fuzz.h"

enum { MOST = 1 << 22 };

int
main(int argc, char **argv)
{
	uint8_t *bytes = malloc(MOST);

	FUZZ_MUST(bytes != NULL);
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		uint8_t *copy;
		size_t n;

		FUZZ_MUST(file != NULL);
		n = fread(bytes, 1, MOST, file);
		fclose(file);
		/* of its own length, so that a byte too many is seen */
		copy = malloc(n + (n == 0));
		FUZZ_MUST(copy != NULL);
		for (size_t k = 0; k < n; k++)
			copy[k] = bytes[k];
		LLVMFuzzerTestOneInput(copy, n);
		free(copy);
	}
	free(bytes);
	printf("Checks: %d, Failures: 0, Errors: 0\n", argc - 1);
	return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
