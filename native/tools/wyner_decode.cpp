// wyner_decode: a .wyn file to PGM (grey), PPM (RGB) or PAM (with alpha), without Python: for embedding
// tests, and for processors that only an emulator has. Of 16-bit samples the high byte comes first, as those
// formats want it. With -c, samples that have not the pixel hash of the file are an error (3) and not written.
// Metadata is not looked at.
//
// Exit codes: those of docs/spec/container.md, section 5; 2 for the arguments, 1 for anything else.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <string>
#include <vector>

#include "wyner/decode.h"

namespace {

using Samples = std::vector<uint8_t>;

constexpr char kUsage[] = "usage: wyner_decode [-c] [-t THREADS] INPUT.wyn OUTPUT\n";

struct Arguments {
  int threads = 1;
  bool check_hash = false;
  const char* input = nullptr;
  const char* output = nullptr;
};

bool parse_arguments(int count, char** values, Arguments& out) {
  int at = 1;
  for (; at < count && values[at][0] == '-'; ++at) {
    if (!std::strcmp(values[at], "-c")) {
      out.check_hash = true;
    } else if (!std::strcmp(values[at], "-t") && at + 1 < count) {
      char* end = nullptr;
      const long threads = std::strtol(values[++at], &end, 10);
      if (*end || threads < 1 || threads > 1024) return false;
      out.threads = int(threads);
    } else {
      return false;
    }
  }
  if (count - at != 2) return false;
  out.input = values[at];
  out.output = values[at + 1];
  return true;
}

bool read_file(const char* path, Samples& data) {
  std::FILE* file = std::fopen(path, "rb");
  if (!file) return false;
  uint8_t block[1 << 16];
  while (const size_t got = std::fread(block, 1, sizeof block, file))
    data.insert(data.end(), block, block + got);
  const bool good = !std::ferror(file);
  std::fclose(file);
  return good;
}

std::string picture_header(const wyner_file_info& info) {
  const std::string width = std::to_string(info.width), height = std::to_string(info.height);
  const std::string maxval = std::to_string(info.maxval);
  const bool grey = info.channels == 1;
  if (!info.alpha_size) return (grey ? "P5\n" : "P6\n") + width + " " + height + "\n" + maxval + "\n";
  return "P7\nWIDTH " + width + "\nHEIGHT " + height + "\nDEPTH " + (grey ? "2" : "4") + "\nMAXVAL " +
         maxval + "\nTUPLTYPE " + (grey ? "GRAYSCALE_ALPHA" : "RGB_ALPHA") + "\nENDHDR\n";
}

// Samples of 2 bytes arrive in the machine's order.
void append_sample(const uint8_t* from, size_t bytes, Samples& row) {
  if (bytes == 1) {
    row.push_back(*from);
    return;
  }
  uint16_t value;
  std::memcpy(&value, from, 2);
  row.push_back(uint8_t(value >> 8));
  row.push_back(uint8_t(value));
}

bool write_picture(const char* path, const wyner_file_info& info, const Samples& samples,
                   const Samples& alpha) {
  std::ofstream out(path, std::ios::binary);
  out << picture_header(info);
  const size_t bytes = info.maxval == 255 ? 1 : 2;
  const uint8_t* colour = samples.data();
  const uint8_t* mask = alpha.data();
  Samples row;
  for (uint32_t y = 0; y < info.height && out; ++y) {
    row.clear();
    for (uint32_t x = 0; x < info.width; ++x) {
      for (int c = 0; c < info.channels; ++c, colour += bytes) append_sample(colour, bytes, row);
      if (info.alpha_size) append_sample(mask, bytes, row), mask += bytes;
    }
    out.write(reinterpret_cast<const char*>(row.data()), std::streamsize(row.size()));
  }
  out.close();
  if (out) return true;
  std::remove(path);  // half a picture must not be taken for a whole one
  return false;
}

int fail(int code, const char* path, const char* why) {
  std::fprintf(stderr, "wyner_decode: %s: %s\n", path, why);
  return code;
}

struct Picture {
  wyner_file_info info;
  Samples samples, alpha;
};

wyner_status decode(const Samples& data, const Arguments& arguments, Picture& out) {
  wyner_status status = wyner_info(data.data(), data.size(), nullptr, &out.info);
  if (status != WYNER_OK) return status;
  out.samples.resize(out.info.samples_size);
  out.alpha.resize(out.info.alpha_size);
  status = wyner_decode_memory(data.data(), data.size(), nullptr, arguments.threads, out.samples.data(),
                               out.samples.size(), out.alpha.empty() ? nullptr : out.alpha.data(),
                               out.alpha.size());
  if (status != WYNER_OK || !arguments.check_hash) return status;
  return wyner_check_hash(data.data(), data.size(), nullptr, out.samples.data(), out.samples.size(),
                          out.alpha.data(), out.alpha.size());
}

int run(const Arguments& arguments) {
  Samples data;
  if (!read_file(arguments.input, data)) return fail(1, arguments.input, std::strerror(errno));
  Picture picture;
  const wyner_status status = decode(data, arguments, picture);
  if (status != WYNER_OK) return fail(status, arguments.input, wyner_status_name(status));
  if (!write_picture(arguments.output, picture.info, picture.samples, picture.alpha))
    return fail(1, arguments.output, "cannot be written");
  return 0;
}

}  // namespace

int main(int count, char** values) {
  Arguments arguments;
  if (!parse_arguments(count, values, arguments)) {
    std::fputs(kUsage, stderr);
    return WYNER_ARGUMENT;
  }
  try {
    return run(arguments);
  } catch (const std::bad_alloc&) {
    return fail(WYNER_LIMIT, arguments.input, "not enough memory");
  }
}
