// Many independent streams in one byte string, coded on several threads (docs/spec/coder.md, section 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace wyner {

constexpr int kMaxStreams = 65536;

// `code(begin, end)` gives the bytes of the items begin..end-1. Items are split evenly, in order; the threads
// do not change the result. Throws Error (argument) unless 1 <= streams <= min(kMaxStreams, max(count, 1)).
std::vector<uint8_t> encode_streams(size_t count, int streams, int threads,
                                    const std::function<std::vector<uint8_t>(size_t, size_t)>& code);

// `code(data, size, begin, end)` decodes the items begin..end-1 from bytes of their own.
// Throws Error (corrupt) before the first call if the sizes do not fit the data.
void decode_streams(const uint8_t* data, size_t size, size_t count, int threads,
                    const std::function<void(const uint8_t*, size_t, size_t, size_t)>& code);

}  // namespace wyner
