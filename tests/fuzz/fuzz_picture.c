/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Any bytes as an upload: decoded and encoded, or refused with a sentence.
 * Small bounds, so that the fuzzer spends its time in the parsers.
 */
#include "community/picture_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_encoded(const struct picture_encoded *encoded)
{
    ASSERT(encoded->width >= 1 && encoded->width <= 64);
    ASSERT(encoded->height >= 1 && encoded->height <= 64);
    for (int i = 0; i < PICTURE_SIZES; i++) {
        ASSERT(picture_sniff(encoded->files[i]) == PICTURE_WEBP);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct picture_limits limits = {
        .bytes_max = 1 << 20, .pixels_max = 40000, .side_max = 64};
    struct str file = {(const char *)data, size};
    struct picture_encoded encoded = {0};
    struct why why = {0};
    enum err err = picture_encode(file, &limits, &encoded, &why);
    if (err) {
        ASSERT(err == ERR_INVALID && why.text[0] != '\0');
        return 0;
    }
    check_encoded(&encoded);

    /* What we made we can read, and it is as we said. */
    struct picture_encoded again = {0};
    ASSERT(picture_encode(encoded.files[PICTURE_MAIN], &limits, &again, &why) == OK);
    check_encoded(&again);
    ASSERT(again.width == encoded.width && again.height == encoded.height);
    picture_encoded_release(&again);
    picture_encoded_release(&encoded);
    return 0;
}
