// SPDX-License-Identifier: Apache-2.0

using System;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    /// <summary>A real server in a process of its own, with the engine that answers at once.</summary>
    internal sealed class TestServer : IDisposable
    {
        private const int StartTimeoutMs = 60000;

        private readonly string _folder;
        private readonly Process _process;
        private readonly StringBuilder _said = new StringBuilder();

        /// <param name="endpoint">"tcp://127.0.0.1:0" for a free port.</param>
        internal TestServer(string endpoint = "tcp://127.0.0.1:0")
        {
            _folder = Path.Combine(Path.GetTempPath(), "posebridge-test-" + Guid.NewGuid().ToString("N"));
            Directory.CreateDirectory(_folder);
            string ready = Path.Combine(_folder, "ready.json");
            string log = Path.Combine(_folder, "server.log");
            string arguments = "-m bridge.cli serve --engine null --grpc \"\" --ops \"\" --zmq " + endpoint
                + " --ready-file " + ready + " --log-file " + log + " --alert-log " + Path.Combine(_folder, "alerts.sqlite3");
            ProcessStartInfo start = new ProcessStartInfo(Require("POSEBRIDGE_TEST_PYTHON"), arguments)
            {
                WorkingDirectory = Require("POSEBRIDGE_TEST_REPOSITORY"),
                UseShellExecute = false,
                RedirectStandardError = true,
            };
            _process = Process.Start(start);
            _process.ErrorDataReceived += (sender, line) => _said.Append(line.Data).Append('\n');
            _process.BeginErrorReadLine();
            Stopwatch watch = Stopwatch.StartNew();
            string said = "";
            while (!said.Contains("}"))
            {
                if (_process.HasExited || watch.ElapsedMilliseconds > StartTimeoutMs)
                {
                    Dispose();
                    throw new InvalidOperationException("the server did not start: " + _said);
                }
                Thread.Sleep(20);
                said = File.Exists(ready) ? File.ReadAllText(ready) : "";
            }
            Endpoint = Regex.Match(said, "\"zmq\": \"([^\"]+)\"").Groups[1].Value;
        }

        internal string Endpoint { get; }

        /// <summary>End it without a chance to say goodbye.</summary>
        internal void Kill()
        {
            if (!_process.HasExited)
            {
                _process.Kill();
                _process.WaitForExit();
            }
        }

        public void Dispose()
        {
            Kill();
            _process.Dispose();
            Directory.Delete(_folder, true);
        }

        private static string Require(string name)
        {
            string value = Environment.GetEnvironmentVariable(name);
            Assert.That(value, Is.Not.Null.And.Not.Empty, "the environment variable " + name + " is needed");
            return value;
        }
    }

    /// <summary>The server that all tests share which do not kill it.</summary>
    [SetUpFixture]
    public sealed class SharedServer
    {
        private static TestServer _server;

        internal static string Endpoint => _server.Endpoint;

        [SetUp]
        public void Start()
        {
            _server = new TestServer();
        }

        [TearDown]
        public void Stop()
        {
            _server.Dispose();
        }
    }
}
