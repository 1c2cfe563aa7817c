/* wyner: decoding, for programs that embed the decoder. The result is the same on every machine.
 *
 * wyner_info and wyner_decode_memory take a whole .wyn file; the wyner_overfit_ functions take a codec's
 * payload, for programs that have read the container themselves. */
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
  WYNER_CORRUPT = 3,     /* the data is damaged */
  WYNER_UNSUPPORTED = 4, /* the data needs a newer decoder */
  WYNER_LIMIT = 5,       /* over a limit, or not enough memory */
  WYNER_SIDE_IMAGE = 7,  /* the file needs a side image, which these functions cannot be given */
} wyner_status;

/* A short English name of a status; never null. */
const char *wyner_status_name(wyner_status status);

/* --- files ------------------------------------------------------------------------------------------- */

/* What decoding may cost. Over any of these the functions return WYNER_LIMIT, before they allocate memory or
 * compute in proportion to the picture. A null pointer stands for WYNER_DEFAULT_LIMITS. */
typedef struct {
  uint64_t max_pixels; /* width x height; decoding needs about 20 bytes of memory per pixel */
  uint64_t max_side;   /* the greater of width and height; more than 131072 is never decoded */
  uint64_t max_macs;   /* multiply-accumulates of the whole picture; wyner_decode_memory alone looks at it */
} wyner_limits;

#define WYNER_DEFAULT_LIMITS {UINT64_C(1) << 28, 32768, UINT64_C(1) << 43}

typedef struct {
  const void *data; /* a part of the file, or null if there is none */
  size_t size;
} wyner_bytes;

typedef struct {
  uint32_t width, height;
  int32_t channels;   /* 1 (grey) or 3 (RGB) */
  int32_t maxval;     /* 255 (samples are uint8_t) or 65535 (uint16_t, native byte order) */
  int32_t codec, codec_version;
  size_t samples_size; /* bytes of the decoded samples */
  size_t alpha_size;   /* bytes of the decoded alpha plane; 0: the picture has none */
  int32_t needs_side;  /* 1: wyner_decode_memory will return WYNER_SIDE_IMAGE */
  /* Metadata as stored: a byte, the method, then the data (0: as it is, 1: a zlib stream). */
  wyner_bytes icc, exif, xmp;
  wyner_bytes pixel_hash; /* 16 bytes that tell the decoded samples, for wyner_check_hash */
} wyner_file_info;

/* Reads everything in a file but the samples, all checksums verified. */
wyner_status wyner_info(const void *file, size_t size, const wyner_limits *limits, wyner_file_info *info);

/* Decodes a file into `samples`, rows of interleaved samples without padding, and its alpha plane into
 * `alpha`, rows of samples of the same type; both aligned for their type. A null `alpha` leaves an alpha
 * plane undecoded. Uses at most `threads` threads (1 or more). Outputs are unspecified after an error. */
wyner_status wyner_decode_memory(const void *file, size_t size, const wyner_limits *limits, int threads,
                                 void *samples, size_t samples_size, void *alpha, size_t alpha_size);

/* Compares decoded samples, and the alpha plane if the picture has one, with the file's pixel hash:
 * WYNER_CORRUPT if they are others, WYNER_OK if they agree or the file states no hash. The hash finds
 * accidents, and decoders that are wrong; it is not a signature. */
wyner_status wyner_check_hash(const void *file, size_t size, const wyner_limits *limits, const void *samples,
                              size_t samples_size, const void *alpha, size_t alpha_size);

/* --- payloads of the overfit codec ------------------------------------------------------------------- */

typedef struct {
  int32_t width, height; /* 1..131072 */
  int32_t channels;      /* 1 (grey) or 3 (RGB) */
  int32_t maxval;        /* 255 (samples are uint8_t) or 65535 (uint16_t, native byte order) */
} wyner_picture;

/* Bytes that the decoded samples need, or 0 if the picture is not valid. */
size_t wyner_overfit_output_size(const wyner_picture *picture);

/* Decodes `size` bytes of payload into `output`: rows of interleaved samples without padding, aligned for
 * their type. Uses at most `threads` threads (1 or more). Needs about 20 bytes of memory and at most 4096
 * multiply-accumulates per pixel, so check the dimensions against your own limits first. `output` is
 * unspecified after an error. */
wyner_status wyner_overfit_decode(const void *payload, size_t size, const wyner_picture *picture,
                                  int threads, void *output, size_t output_size);

#ifdef __cplusplus
}
#endif

#endif
