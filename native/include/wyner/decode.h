/* wyner: decoding of overfit payloads, for programs that embed the decoder.
 *
 * Reading the file container is the caller's business: the payload is the content of its data chunk, and
 * width, height, channels and maxval come from its header. The result is the same on every machine. */
#ifndef WYNER_DECODE_H
#define WYNER_DECODE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  WYNER_OK = 0,
  WYNER_ERROR = 1,       /* anything else */
  WYNER_ARGUMENT = 2,    /* an argument is out of range, or the output too small */
  WYNER_CORRUPT = 3,     /* the payload is damaged */
  WYNER_UNSUPPORTED = 4, /* the payload needs a newer decoder */
  WYNER_LIMIT = 5,       /* not enough memory */
} wyner_status;

typedef struct {
  int32_t width, height; /* 1..131072 */
  int32_t channels;      /* 1 (grey) or 3 (RGB) */
  int32_t maxval;        /* 255 (samples are uint8_t) or 65535 (uint16_t, native byte order) */
} wyner_picture;

/* Bytes that the decoded samples need, or 0 if the picture is not valid. */
size_t wyner_overfit_output_size(const wyner_picture *picture);

/* Decodes `size` bytes of payload into `output`: rows of interleaved samples without padding, aligned for
 * their type. Uses at most `threads` threads (1 or more). Needs about 20 bytes of memory per pixel, so
 * check the dimensions against your own limits first. `output` is unspecified after an error. */
wyner_status wyner_overfit_decode(const void *payload, size_t size, const wyner_picture *picture,
                                  int threads, void *output, size_t output_size);

/* A short English name of a status; never null. */
const char *wyner_status_name(wyner_status status);

#ifdef __cplusplus
}
#endif

#endif
