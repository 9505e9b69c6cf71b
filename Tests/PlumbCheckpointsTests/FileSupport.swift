import Foundation
import PlumbCheckpoints
import Testing

/// The error that `body` throws, which must be a `CheckpointError`; nil with an issue otherwise.
func checkpointError(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) -> CheckpointError? {
  do {
    try body()
    Issue.record("expected an error, found none", sourceLocation: sourceLocation)
  } catch let error as CheckpointError {
    return error
  } catch {
    Issue.record("expected a CheckpointError, found \(error)", sourceLocation: sourceLocation)
  }
  return nil
}

/// A safetensors file from a header and data, with the length that is asked for.
func safetensors(_ header: String, data: [UInt8] = [], length: UInt64? = nil) -> Data {
  var bytes = Data()
  withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) {
    bytes.append(contentsOf: $0)
  }
  bytes.append(contentsOf: header.utf8)
  bytes.append(contentsOf: data)
  return bytes
}

/// The names in a folder, hidden ones too.
func names(in folder: URL) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
}
