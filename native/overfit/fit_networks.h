// The networks of a fit: their parameters, the prior under which these cost bits, and their optimiser.
#pragma once

#include <cstdint>
#include <vector>

#include "overfit/soap.h"

namespace wyner {

struct FitSizes {
  int S, F, N, M;  // as in the specification
  int E = 0, X = 0;  // contexts and planes from a side picture
};

// Offsets of the parameter vector (docs/spec/overfit.md, section 5).
struct FitLayout {
  int ifc_w, ifc_b, up, pre, syn, end;
  FitLayout(const FitSizes& s, int grids);
};

struct FitStep {
  float lr_latents, lr_params;
  float temperature;  // of soft rounding; <= 0 rounds hard, with the identity as derivative
  float noise;        // standard deviation
  float lambda;       // loss = mse + lambda * bits / pixels
  float weight_rate;  // factor on the rate of the parameters under the model's prior
  int thin;           // gradients of weights come from one in so many pieces of the picture, in turn
};

class FitNetworks {
 public:
  FitNetworks(const FitSizes& sizes, int grids);

  // Mean, where the parameters then begin, and 1/b of a Laplace distribution.
  void set_prior(std::vector<float> mean, std::vector<float> inverse_scale);
  // One step, if s.lr_params > 0, from the gradient of mse + lambda * latent bits / pixels, which is used up.
  void step(std::vector<float>& gradient, const FitStep& s, double pixels);

  std::vector<float> params;

 private:
  Soap soap_;
  std::vector<float> prior_mean_, prior_inverse_;
};

}  // namespace wyner
