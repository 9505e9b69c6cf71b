import CKernels

extension Tensor {
  /// The columns of a range: [N, C] to [N, range.count]; the other columns get gradient 0.
  public func columns(in range: Range<Int>) -> Tensor {
    precondition(shape.rank == 2, "columns(in:): expected a matrix, found shape \(shape)")
    let (rows, columns) = shape.matrix
    precondition(
      range.lowerBound >= 0 && range.upperBound <= columns,
      "columns(in:): expected a range within 0 ..< \(columns), found \(range)")
    let (first, width) = (range.lowerBound, range.count)
    let receiver = withoutValues
    return .make([rows, width], inputs: [self]) { result in
      guard let y = result.baseAddress else { return }
      Threads.split(rows, grain: rowGrain(width)) { part in
        for row in part {
          (y + row * width).update(from: base + row * columns + first, count: width)
        }
      }
    } pullback: { gradient, cotangents in
      cotangents.accumulate(into: receiver) { total, isFresh in
        guard let dx = total.baseAddress else { return }
        Threads.split(rows, grain: rowGrain(width)) { part in
          for row in part {
            let (line, g) = (dx + row * columns, gradient.base + row * width)
            guard isFresh else {
              plumb_add(width, g, line + first)
              continue
            }
            line.update(repeating: 0, count: first)
            (line + first).update(from: g, count: width)
            (line + first + width).update(repeating: 0, count: columns - first - width)
          }
        }
      }
    }
  }
}
