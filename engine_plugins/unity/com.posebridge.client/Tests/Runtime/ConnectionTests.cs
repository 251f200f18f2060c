// SPDX-License-Identifier: Apache-2.0

using System.Collections;
using System.Diagnostics;
using NUnit.Framework;
using UnityEngine;
using UnityEngine.TestTools;

namespace PoseBridge.Tests
{
    /// <summary>Play-mode tests; no server is needed: nobody listens at the address.</summary>
    public sealed class ConnectionTests
    {
        private GameObject _holder;

        [SetUp]
        public void MakeConnection()
        {
            _holder = new GameObject("PoseBridge Connection");
            _holder.SetActive(false);
            _holder.AddComponent<PoseBridgeConnection>().Endpoint = "tcp://127.0.0.1:9";
        }

        [TearDown]
        public void DestroyConnection()
        {
            Object.DestroyImmediate(_holder);
        }

        [UnityTest]
        public IEnumerator NothingWaitsForAServerThatIsNotThere()
        {
            Stopwatch watch = Stopwatch.StartNew();
            _holder.SetActive(true);
            Assert.That(watch.ElapsedMilliseconds, Is.LessThan(500));
            yield return null;
            PoseBridgeConnection connection = PoseBridgeConnection.For(_holder);
            Assert.That(connection.State, Is.EqualTo(PoseBridgeState.Connecting));
        }

        [UnityTest]
        public IEnumerator DisablingEndsTheClient()
        {
            _holder.SetActive(true);
            yield return null;
            PoseBridgeClient client = _holder.GetComponent<PoseBridgeConnection>().Client;
            _holder.SetActive(false);
            Assert.That(client.IsDisposed, Is.True);
            Assert.That(PoseBridgeConnection.For(_holder) == null, Is.True);
        }

        [UnityTest]
        public IEnumerator ConnectionCanBeEnabledAgain()
        {
            for (int i = 0; i < 3; i++)
            {
                _holder.SetActive(true);
                yield return null;
                Assert.That(_holder.GetComponent<PoseBridgeConnection>().Client, Is.Not.Null);
                _holder.SetActive(false);
                yield return null;
            }
        }
    }
}
