/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "base/siphash.h"

/* From the paper, appendix A, and the authors' vectors.h: the key is 00 01 .. 0f, the text 00 01 .. */
static const struct {
    size_t length;
    uint64_t hash;
} vectors[] = {
    {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
    {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {16, 0x3f2acc7f57c29bdb},
};
START_TEST(hashes_are_those_of_the_paper)
{
    const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    unsigned char text[16];
    for (unsigned char i = 0; i < sizeof text; i++)
        text[i] = i;
    ck_assert_uint_eq(siphash(key, text, vectors[_i].length), vectors[_i].hash);
}
END_TEST

Suite *siphash_suite(void)
{
    Suite *suite = suite_create("siphash");
    TCase *tcase = tcase_create("siphash");
    tcase_add_loop_test(tcase, hashes_are_those_of_the_paper, 0, sizeof vectors / sizeof *vectors);
    suite_add_tcase(suite, tcase);
    return suite;
}
