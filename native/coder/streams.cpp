#include "coder/streams.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "coder/varint.h"

namespace wyner {

namespace {

size_t most_streams(size_t count) { return std::clamp<size_t>(count, 1, kMaxStreams); }

// Item at which a stream begins; count * stream would overflow only past 2^48 items.
size_t first_item(size_t count, size_t stream, size_t streams) { return count * stream / streams; }

}  // namespace

std::vector<uint8_t> encode_streams(size_t count, int streams, int threads,
                                    const std::function<std::vector<uint8_t>(size_t, size_t)>& code) {
  if (streams < 1 || size_t(streams) > most_streams(count))
    throw Error(ErrorKind::argument, "streams must be in 1..65536 and not more than there are symbols");
  std::vector<std::vector<uint8_t>> parts(streams);
  parallel_parts(streams, threads, [&](int begin, int end) {
    for (int i = begin; i < end; ++i)
      parts[i] = code(first_item(count, i, streams), first_item(count, i + 1, streams));
  });
  std::vector<uint8_t> out;
  put_varint(out, streams);
  for (int i = 0; i + 1 < streams; ++i) put_varint(out, parts[i].size());
  for (const std::vector<uint8_t>& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

void decode_streams(const uint8_t* data, size_t size, size_t count, int threads,
                    const std::function<void(const uint8_t*, size_t, size_t, size_t)>& code) {
  HeaderReader header(data, size);
  const uint64_t streams = header.varint();
  if (streams < 1 || streams > most_streams(count)) corrupt("coder: the number of streams is out of range");
  std::vector<size_t> offsets{0};
  for (uint64_t i = 0; i + 1 < streams; ++i) {
    const uint64_t length = header.varint();
    if (length > size - offsets.back()) corrupt("coder: a stream is longer than the data");
    offsets.push_back(offsets.back() + length);
  }
  if (offsets.back() > header.left()) corrupt("coder: the streams are longer than the data");
  offsets.push_back(header.left());
  parallel_parts(int(streams), threads, [&](int begin, int end) {
    for (int i = begin; i < end; ++i)
      code(header.next() + offsets[i], offsets[i + 1] - offsets[i], first_item(count, i, streams),
           first_item(count, i + 1, streams));
  });
}

}  // namespace wyner
