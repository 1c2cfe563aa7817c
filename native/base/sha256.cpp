#include "base/sha256.h"

#include <algorithm>
#include <bit>

namespace wyner {

namespace {

constexpr int kRounds = 64;
constexpr size_t kBlock = 64, kLengthAt = 56;

// The standard takes its constants from the fractional parts of roots of the first primes, and so does this.
template <size_t kCount>
constexpr std::array<uint32_t, kCount> root_fractions(int power) {
  std::array<uint32_t, kCount> out{};
  size_t found = 0;
  for (uint32_t n = 2; found < kCount; ++n) {
    bool prime = true;
    for (uint32_t d = 2; d * d <= n; ++d) prime = prime && n % d != 0;
    if (!prime) continue;
    const unsigned __int128 scaled = static_cast<unsigned __int128>(n) << 32 * power;
    uint64_t root = 0;  // the greatest integer whose power is not above n * 2^(32 * power)
    for (int bit = 36; bit >= 0; --bit) {
      const uint64_t next = root | uint64_t{1} << bit;
      unsigned __int128 value = next;
      for (int i = 1; i < power; ++i) value *= next;
      if (value <= scaled) root = next;
    }
    out[found++] = uint32_t(root);
  }
  return out;
}

constexpr std::array<uint32_t, 8> kStart = root_fractions<8>(2);
constexpr std::array<uint32_t, kRounds> kConstants = root_fractions<kRounds>(3);

uint32_t load_big_endian(const uint8_t* p) {
  return uint32_t(p[0]) << 24 | uint32_t(p[1]) << 16 | uint32_t(p[2]) << 8 | p[3];
}

// Words 16 to 63 are mixed from the block's own 16.
std::array<uint32_t, kRounds> schedule(const uint8_t* block) {
  std::array<uint32_t, kRounds> w;
  for (int t = 0; t < 16; ++t) w[t] = load_big_endian(block + 4 * t);
  for (int t = 16; t < kRounds; ++t) {
    const uint32_t a = w[t - 15], b = w[t - 2];
    const uint32_t s0 = std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3;
    const uint32_t s1 = std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10;
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  return w;
}

}  // namespace

Sha256::Sha256() : state_(kStart) {}

void Sha256::compress(const uint8_t* block) {
  const std::array<uint32_t, kRounds> w = schedule(block);
  auto [a, b, c, d, e, f, g, h] = state_;
  for (int t = 0; t < kRounds; ++t) {
    const uint32_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
    const uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t first = h + s1 + choice + kConstants[t] + w[t];
    h = g, g = f, f = e, e = d + first;
    d = c, c = b, b = a, a = first + s0 + majority;
  }
  const std::array<uint32_t, 8> mixed = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < mixed.size(); ++i) state_[i] += mixed[i];
}

void Sha256::update(std::span<const uint8_t> data) {
  const size_t waiting = length_ % kBlock;
  length_ += data.size();
  if (waiting) {
    const size_t taken = std::min(data.size(), kBlock - waiting);
    std::copy_n(data.begin(), taken, block_.begin() + waiting);
    data = data.subspan(taken);
    if (waiting + taken < kBlock) return;
    compress(block_.data());
  }
  for (; data.size() >= kBlock; data = data.subspan(kBlock)) compress(data.data());
  std::copy(data.begin(), data.end(), block_.begin());
}

Sha256::Digest Sha256::finish() {
  const uint64_t bits = length_ * 8;
  size_t used = length_ % kBlock;
  block_[used++] = 0x80;
  if (used > kLengthAt) {
    std::fill(block_.begin() + used, block_.end(), uint8_t{0});
    compress(block_.data());
    used = 0;
  }
  std::fill(block_.begin() + used, block_.end(), uint8_t{0});
  for (int i = 0; i < 8; ++i) block_[kLengthAt + i] = uint8_t(bits >> (56 - 8 * i));
  compress(block_.data());
  Digest digest;
  for (size_t i = 0; i < digest.size(); ++i) digest[i] = uint8_t(state_[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

}  // namespace wyner
