import CKernels

/// Fills one buffer with packed weights, and keeps alive what is read in place.
struct Packer {
  let storage: Storage
  var tensors: [Tensor] = []
  private var used = 0

  init(room: Int) { storage = Storage(count: room) }

  /// Floats of a packed product with its bias.
  static func size(of product: PackedDecoder.Product, isGated: Bool) -> Int {
    let panels = plumb_panel_count(product.outer / (isGated ? 2 : 1), isGated)
    return panels * Int(PLUMB_PANEL) * (product.inner + (product.bias == nil ? 0 : 1))
  }

  mutating func view(_ tensor: Tensor) -> UnsafePointer<Float> {
    tensors.append(tensor)
    return tensor.base
  }

  mutating func view(_ norm: PackedDecoder.Norm?) -> plumb_norm {
    guard let norm else { return plumb_norm(weight: nil, bias: nil, epsilon: 0) }
    return plumb_norm(
      weight: view(norm.weight), bias: norm.bias.map { view($0) }, epsilon: norm.epsilon)
  }

  mutating func pack(_ product: PackedDecoder.Product, isGated: Bool = false) -> plumb_packed {
    let outer = product.outer / (isGated ? 2 : 1)
    let panels = plumb_panel_count(outer, isGated)
    let (weights, bias) = (product.effectiveWeight, product.bias)
    let strides =
      product.isInputMajor ? (outer: 1, inner: product.outer) : (outer: product.inner, inner: 1)
    let target = storage.base + used
    used += panels * Int(PLUMB_PANEL) * product.inner
    withExtendedLifetime(weights) {
      Threads.split(panels, grain: max(1, 8192 / max(1, product.inner))) { range in
        plumb_pack_panels(
          outer, product.inner, isGated, weights.base, strides.outer, strides.inner,
          range.lowerBound, range.count, target)
      }
    }
    var packedBias: UnsafeMutablePointer<Float>?
    if let bias {
      let place = storage.base + used
      withExtendedLifetime(bias) {
        plumb_pack_panels(outer, 1, isGated, bias.base, 1, 1, 0, panels, place)
      }
      used += panels * Int(PLUMB_PANEL)
      packedBias = place
    }
    return plumb_packed(
      panels: target, bias: packedBias, inner: product.inner, outer: outer, is_gated: isGated)
  }
}

extension PackedDecoder.Product {
  /// The weight with its low-rank terms, `W + scale up down`; the weight itself where there are none.
  fileprivate var effectiveWeight: Tensor {
    guard let terms else { return weight }
    let result = Tensor(
      shape: weight.shape, storage: weight.storage.copy(from: weight.offset, count: weight.count))
    var row = 0
    for part in terms.parts {
      let (outputs, rank) = (part.up.shape[0], part.up.shape[1])
      withExtendedLifetime((result, part.up, terms.down)) {
        let up = MatrixView(part.up.base, outputs, rank)
        let down = MatrixView(terms.down.base + row * inner, rank, inner)
        if isInputMajor {
          multiply(
            down.transposed, up.transposed, into: result.storage.base + part.column,
            stride: outer, alpha: terms.scale, beta: 1)
        } else {
          multiply(
            up, down, into: result.storage.base + part.column * inner, stride: inner,
            alpha: terms.scale, beta: 1)
        }
      }
      row += rank
    }
    return result
  }
}
