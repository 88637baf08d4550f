/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/fuzz/standalone.c: runs a fuzz target without a fuzzer: first every file of its corpus,
 * then a bounded number of mutations of them, the same at each run. With clang, link the target
 * with -fsanitize=fuzzer instead. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096
#define INPUTS    256
#define MUTATIONS 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    uint8_t data[INPUT_MAX];
    size_t size;
} inputs[INPUTS];
static size_t count;

/* In memory that ends with the input, so that AddressSanitizer sees whatever is read behind it. */
static void run(const uint8_t *input, size_t size)
{
    uint8_t *exact = malloc(size);
    if (exact == NULL && size > 0)
        abort();
    if (size > 0)
        memcpy(exact, input, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void read_input(const char *path)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL || count == INPUTS) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(EXIT_FAILURE);
    }
    inputs[count].size = fread(inputs[count].data, 1, INPUT_MAX, in);
    fclose(in);
    run(inputs[count].data, inputs[count].size);
    count++;
}

static void read_corpus(const char *folder)
{
    char path[2048];
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        fprintf(stderr, "%s: no such corpus\n", folder);
        exit(EXIT_FAILURE);
    }
    for (struct dirent *at; (at = readdir(dir)) != NULL;) {
        if (at->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, at->d_name);
        read_input(path);
    }
    closedir(dir);
}

static uint32_t next_random(void)
{
    static uint32_t state = 2463534242U; /* xorshift: the same sequence everywhere */
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

/* Changes, removes, repeats or splices a few octets. */
static size_t mutate(uint8_t *out)
{
    static const uint8_t telling[] = "\0\r\n\"\\<>@.:;,%${}[]+ \xff\xc3\x80\x7f";
    size_t from = next_random() % count, size = inputs[from].size;
    memcpy(out, inputs[from].data, size);
    for (uint32_t left = 1 + next_random() % 8; left > 0 && size > 0; left--) {
        size_t at = next_random() % size;
        switch (next_random() % 4) {
        case 0: out[at] = (uint8_t)next_random(); break;
        case 1: out[at] = telling[next_random() % (sizeof telling - 1)]; break;
        case 2:
            memmove(out + at, out + at + 1, size - at - 1);
            size--;
            break;
        case 3:
            if (size < INPUT_MAX) {
                memmove(out + at + 1, out + at, size - at);
                size++;
            }
            break;
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t data[INPUT_MAX];
    const char *name = strrchr(argv[0], '/'), *source = getenv("top_srcdir");
    char folder[1024];

    for (int i = 1; i < argc; i++)
        read_input(argv[i]);
    if (argc > 1)
        return EXIT_SUCCESS;
    name = name == NULL ? argv[0] : name + 1;
    name = strncmp(name, "lt-", 3) == 0 ? name + 3 : name;
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", source == NULL ? "." : source, name);
    read_corpus(folder);
    for (int i = 0; i < MUTATIONS; i++)
        run(data, mutate(data));
    printf("%zu inputs, %d mutations\n", count, MUTATIONS);
    return EXIT_SUCCESS;
}
