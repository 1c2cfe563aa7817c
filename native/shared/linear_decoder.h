// The plain shared decoder: one linear map and a sigmoid for a whole set of pictures of one size, and one latent
// code for each of them.
//
//   x_hat_k = sigmoid(W z_k + b)      W: pixels x latents, z_k: latents, samples in [0, 1]
//
// W, b and all z are fitted jointly, by Adam on the mean squared error over all samples. One thread; the same result
// for the same seed. Floats, nothing is coded: it shows the idea that the codec of sets makes files of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wyner::shared {

struct LinearDecoder {
  size_t pixels, latents;
  std::vector<float> weights;  // pixels x latents
  std::vector<float> bias;     // pixels
};

// out (count x pixels) from codes (count x latents).
void decode(const LinearDecoder& decoder, const float* codes, size_t count, float* out);

struct LinearGradients {
  double loss;  // mean squared error
  std::vector<float> weights, bias, codes;
};

class LinearFit {
 public:
  // Fits a decoder and codes to images (count x pixels, in [0, 1]). W and b begin at 0, and the codes of unit variance.
  LinearFit(const float* images, size_t count, size_t pixels, size_t latents, uint32_t seed);
  // Fits codes, from 0, to images that a decoder of other images is given for; it stays as it is.
  LinearFit(const float* images, size_t count, LinearDecoder decoder);

  size_t count() const { return count_; }
  LinearDecoder& decoder() { return decoder_; }
  std::vector<float>& codes() { return codes_; }  // count x latents

  double loss();
  // All three, even where the decoder stays as it is.
  LinearGradients gradients();
  void step(float lr);

 private:
  struct Moments {
    std::vector<float> first, second;
    explicit Moments(size_t n) : first(n), second(n) {}
  };
  struct Adam;

  // Returns the sum of squared errors, leaves its gradient of the codes in code_gradient_, and calls
  // use(p, gradient of the weights of pixel p, gradient of its bias) for every pixel.
  template <class Use>
  double sweep(Use use);

  size_t count_;
  LinearDecoder decoder_;
  bool decoder_moves_;
  std::vector<float> targets_;  // pixels x count: what a sweep reads in its order
  std::vector<float> codes_;
  std::vector<double> code_gradient_;
  std::vector<float> row_gradient_;
  Moments weight_moments_, bias_moments_, code_moments_;
  int64_t steps_ = 0;
};

}  // namespace wyner::shared
