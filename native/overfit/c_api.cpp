// The part of include/wyner/decode.h that works on payloads.
#include "base/c_status.h"
#include "overfit/codec.h"

using namespace wyner::overfit;
using wyner::guarded;

namespace {

Picture to_picture(const wyner_picture& p) { return {p.width, p.height, p.channels, p.maxval}; }

size_t checked_size(const Picture& p) {
  check_picture(p);
  return size_t(p.width) * p.height * p.channels * (p.maxval > 255 ? 2 : 1);
}

}  // namespace

extern "C" size_t wyner_overfit_output_size(const wyner_picture* picture) {
  size_t size = 0;
  guarded([&] {
    if (picture) size = checked_size(to_picture(*picture));
    return WYNER_OK;
  });
  return size;
}

extern "C" wyner_status wyner_overfit_decode(const void* payload, size_t size, const wyner_picture* picture,
                                             int threads, void* output, size_t output_size) {
  return guarded([&] {
    if (!picture || !output || threads < 1 || (size && !payload)) return WYNER_ARGUMENT;
    const Picture p = to_picture(*picture);
    if (output_size < checked_size(p)) return WYNER_ARGUMENT;
    Decoded decoded = decode_payload(static_cast<const uint8_t*>(payload), size, p.width, p.height);
    render(decoded.network, std::move(decoded.latents), p, threads, output);
    return WYNER_OK;
  });
}

extern "C" const char* wyner_status_name(wyner_status status) {
  switch (status) {
    case WYNER_OK: return "ok";
    case WYNER_ARGUMENT: return "bad argument";
    case WYNER_CORRUPT: return "corrupt";
    case WYNER_UNSUPPORTED: return "unsupported";
    case WYNER_LIMIT: return "over a limit, or out of memory";
    case WYNER_SIDE_IMAGE: return "needs a side image";
    default: return "error";
  }
}
