import Foundation
import Synchronization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// One request to an endpoint and its answer.
///
/// Redirects are not followed: they would take the texts to an address that nobody allowed. For the same
/// reason a proxy of the environment is not used for this machine.
struct EndpointExchange {
  /// What came of an attempt.
  enum Outcome {
    case answer(status: Int, body: [UInt8])
    case timedOut
    case failed(reason: String)
  }

  let url: URL
  /// Seconds for the whole exchange.
  let timeout: Double

  /// Sends JSON and waits for the whole answer.
  func post(_ json: String) -> Outcome {
    _ = Self.loopbackBypassesProxies
    let configuration = URLSessionConfiguration.ephemeral
    configuration.urlCache = nil
    configuration.httpCookieStorage = nil
    // The wait below is the limit; this only ends a task that nobody waits for any more.
    configuration.timeoutIntervalForRequest = timeout + 1
    configuration.timeoutIntervalForResource = timeout + 1
    let receiver = Receiver()
    let session = URLSession(configuration: configuration, delegate: receiver, delegateQueue: nil)
    defer { session.invalidateAndCancel() }
    var request = URLRequest(url: url)
    request.httpMethod = "POST"
    request.httpBody = Data(json.utf8)
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    request.setValue("application/json", forHTTPHeaderField: "Accept")
    let task = session.dataTask(with: request)
    task.resume()
    guard receiver.done.wait(timeout: .now() + timeout) == .success else {
      task.cancel()
      return .timedOut
    }
    let (body, error) = receiver.state.withLock { ($0.body, $0.error) }
    if let error {
      return error.code == NSURLErrorTimedOut ? .timedOut : .failed(reason: error.text)
    }
    guard let response = task.response as? HTTPURLResponse else {
      return .failed(reason: "the answer is not HTTP")
    }
    return .answer(status: response.statusCode, body: body)
  }

  /// libcurl, under URLSession, sends requests to this machine too through a proxy of the environment.
  private static let loopbackBypassesProxies: Bool = {
    let environment = ProcessInfo.processInfo.environment
    guard
      ["http_proxy", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"]
        .contains(where: { environment[$0] != nil })
    else { return false }
    let known = environment["no_proxy"] ?? environment["NO_PROXY"] ?? ""
    let own = "127.0.0.1,127.0.0.0/8,localhost,::1"
    return setenv("no_proxy", known.isEmpty ? own : "\(known),\(own)", 1) == 0
  }()

  /// Collects an answer.
  private final class Receiver: NSObject, URLSessionDataDelegate {
    struct State {
      var body: [UInt8] = []
      var error: (code: Int, text: String)?
    }
    let state = Mutex(State())
    let done = DispatchSemaphore(value: 0)

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
      state.withLock { $0.body += data }
    }

    func urlSession(
      _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
    ) {
      if let error = error as NSError? {
        state.withLock { $0.error = (error.code, error.localizedDescription) }
      }
      done.signal()
    }

    func urlSession(
      _ session: URLSession, task: URLSessionTask,
      willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
      completionHandler: @escaping (URLRequest?) -> Void
    ) {
      completionHandler(nil)
    }
  }
}
