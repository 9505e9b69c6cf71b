import CKernels

/// Activations up to this many bytes are kept for backward: making them again costs 1 % of a step,
/// which only models with much larger ones should pay.
private let keptActivation = 16 << 20

/// `silu(gate) up`, the gated activation of Llama and Qwen (Shazeer 2020).
///
/// - Parameter gateAndUp: [N, 2F], gates in the first F columns.
/// - Returns: [N, F].
public func swiGLU(gateAndUp x: Tensor) -> Tensor {
  precondition(
    x.shape.rank == 2 && x.shape[1] % 2 == 0, "swiGLU: expected [N, 2F], found \(x.shape)")
  let (rows, columns) = (x.shape[0], x.shape[1] / 2)
  return Tensor.make([rows, columns], inputs: [x]) { result in
    guard let y = result.baseAddress else { return }
    Threads.split(rows, grain: rowGrain(columns)) { range in
      plumb_swiglu(
        range.count, columns, x.base + 2 * range.lowerBound * columns,
        y + range.lowerBound * columns)
    }
  } pullback: { gradient, cotangents in
    cotangents.accumulate(into: x) { dx, isFresh in
      dx.withBase { dx in
        Threads.split(rows, grain: rowGrain(columns)) { range in
          let start = range.lowerBound * columns
          plumb_swiglu_backward(
            range.count, columns, gradient.base + start, x.base + 2 * start, dx + 2 * start,
            isFresh)
        }
      }
    }
  }.remade(above: keptActivation) { [x = x.detached] in swiGLU(gateAndUp: x) }
}

/// The tanh form of GELU, `gelu_new` (Hendrycks and Gimpel 2016): the activation of GPT-2.
///
/// `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2`, element by element.
public func gelu(_ x: Tensor) -> Tensor {
  Tensor.make(x.shape, inputs: [x]) { result in
    guard let y = result.baseAddress else { return }
    Threads.split(x.count, grain: 16_384) { range in
      plumb_gelu(range.count, x.base + range.lowerBound, y + range.lowerBound)
    }
  } pullback: { gradient, cotangents in
    cotangents.accumulate(into: x) { dx, isFresh in
      dx.withBase { dx in
        Threads.split(x.count, grain: 16_384) { range in
          let start = range.lowerBound
          plumb_gelu_backward(
            range.count, gradient.base + start, x.base + start, dx + start, isFresh)
        }
      }
    }
  }.remade(above: keptActivation) { [x = x.detached] in gelu(x) }
}
