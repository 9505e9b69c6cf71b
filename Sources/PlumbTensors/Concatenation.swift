/// The parts laid end to end along the first axis: [M, D] and [N, D] to [M + N, D], [M] and [N] to [M + N].
///
/// There must be at least one part; they have rank 1 or more and agree in all extents but the first.
public func concatenated(_ parts: [Tensor]) -> Tensor {
  guard let first = parts.first else {
    preconditionFailure("concatenated: expected at least one part, found none")
  }
  var extents = first.shape.extents
  precondition(!extents.isEmpty, "concatenated: expected rank 1 or more, found a scalar")
  extents[0] = 0
  for part in parts {
    precondition(
      part.shape.rank == extents.count && part.shape.extents.dropFirst() == extents.dropFirst(),
      "concatenated: expected parts that agree in all extents but the first, "
        + "found \(first.shape) and \(part.shape)")
    extents[0] += part.shape[0]
  }
  let receivers = parts.map(\.withoutValues)
  return Tensor.make(Shape(extents), inputs: parts) { result in
    var start = 0
    for part in parts {
      for i in 0..<part.count { result[start + i] = part.base[i] }
      start += part.count
    }
  } pullback: { gradient, cotangents in
    var start = 0
    for receiver in receivers {
      let share = Tensor(
        shape: receiver.shape, storage: gradient.storage, offset: gradient.offset + start)
      cotangents.pass(share, to: receiver)
      start += receiver.count
    }
  }
}
