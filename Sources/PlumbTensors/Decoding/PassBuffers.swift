import CKernels

/// The activations of a pass.
struct PassBuffers {
  var logits: Storage?
  private var activations: Storage?
  private var scratch: Storage?
  private var rows = 0
  private var scratchStride = 0
  private var rotaryTable: RotaryTable?

  /// Makes everything large enough.
  mutating func prepare(for decoder: PackedDecoder, rows: Int, logitRows: Int, longest: Int) {
    let view = decoder.view
    // The last norm writes its rows, no more than `rows`, into the same buffer as the others.
    if rows > self.rows {
      self.rows = max(rows, min(DecodingPass.mostRows, 2 * self.rows))
      activations = Storage(count: self.rows * Self.rowWidth(decoder))
    }
    let logitCount = logitRows * decoder.vocabularySize
    if logits.map({ $0.count < logitCount }) ?? true { logits = Storage(count: max(1, logitCount)) }
    let group = view.query_width / view.key_value_width
    let tokens = (longest + 255) / 256 * 256
    let needed = (max(group * tokens, plumb_draw_scratch(decoder.vocabularySize)) + 63) / 64 * 64
    if needed > scratchStride || (scratch?.count ?? 0) < needed * Threads.count {
      scratchStride = max(needed, scratchStride)
      scratch = Storage(count: scratchStride * Threads.count)
    }
    if let base = decoder.ropeBase, rotaryTable.map({ $0.positions < longest }) ?? true {
      rotaryTable = RotaryTable.covering(
        longest, headDimension: view.head_dimension, base: base)
    }
  }

  private static func rowWidth(_ decoder: PackedDecoder) -> Int {
    let view = decoder.view
    return 2 * view.width + 2 * view.query_width + 2 * view.key_value_width + decoder.innerWidth
  }

  /// Hands the kernel its buffers.
  func fill(_ view: inout plumb_decoding_pass, firstLogits: Int, _ decoder: PackedDecoder) {
    guard let activations, let scratch, let logits else { return }
    let sizes = decoder.view
    view.x = activations.base
    view.normed = activations.base + rows * sizes.width
    view.attended = activations.base + 2 * rows * sizes.width
    view.query_key_value = activations.base + rows * (2 * sizes.width + sizes.query_width)
    view.inner =
      activations.base
      + rows * 2 * (sizes.width + sizes.query_width + sizes.key_value_width)
    view.logits = logits.base + firstLogits * decoder.vocabularySize
    view.scratch = scratch.base
    view.scratch_stride = scratchStride
    view.cosines = rotaryTable.map { UnsafePointer($0.cosines.base) }
    view.sines = rotaryTable.map { UnsafePointer($0.sines.base) }
  }
}
