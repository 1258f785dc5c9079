package facade

import (
	"context"
	"crypto/rsa"
	"errors"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

func publicRSA(n int64) *rsa.PublicKey { return &rsa.PublicKey{N: big.NewInt(n), E: 65537} }

func TestTheRegistrysKeyIsFetchedNowAndThenAndStaysGoodWhileTheRegistryIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		down, fetched := errors.New("down"), 0
		key, err := publicRSA(3), down
		k := &publicKey{now: time.Now, fetch: func(context.Context) (*rsa.PublicKey, error) {
			fetched++
			if err != nil {
				return nil, err
			}
			return key, nil
		}}
		get := func() (*rsa.PublicKey, error) { return k.get(t.Context()) }

		for range 100 { // however many tokens come
			_, got := get()
			is.Equal(got, down)
		}
		is.Equal(fetched, 1)
		err = nil
		time.Sleep(keyRetry)
		got, failure := get()
		is.NoErr(failure)
		is.True(got == key)
		is.Equal(fetched, 2)

		time.Sleep(keyLifetime - time.Second)
		_, failure = get()
		is.NoErr(failure)
		is.Equal(fetched, 2)
		err = down
		time.Sleep(time.Second)
		got, failure = get()
		is.NoErr(failure) // nobody is locked out
		is.True(got == key)
		synctest.Wait() // the Registry is asked behind their backs
		is.Equal(fetched, 3)

		err, key = nil, publicRSA(5)
		_, failure = k.instead(t.Context(), got) // a stranger's token can't have it fetched again at once
		is.Equal(failure, errSignature)
		is.Equal(fetched, 3)
		time.Sleep(keyRetry)
		got, failure = k.instead(t.Context(), got)
		is.NoErr(failure)
		is.True(got == key) // the Registry's new one
		is.Equal(fetched, 4)
		time.Sleep(keyRetry)
		_, failure = k.instead(t.Context(), got)
		is.Equal(failure, errSignature) // it has no other
	})
}

func TestARegistryThatNeverAnswersKeepsNobodyWaitingLongerThanOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		fetched := 0
		k := &publicKey{now: time.Now, fetch: func(ctx context.Context) (*rsa.PublicKey, error) {
			fetched++
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		begin := time.Now()
		var askers sync.WaitGroup
		for range 100 {
			askers.Go(func() {
				_, err := k.get(t.Context())
				is.True(err != nil)
			})
		}
		askers.Wait()
		_, err := k.get(t.Context()) // told at once what the others have waited for
		is.True(err != nil)
		is.Equal(time.Since(begin), keyPatience)
		is.Equal(fetched, 1)

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		time.Sleep(keyRetry)
		begin = time.Now()
		_, err = k.get(ctx) // whoever gives up earlier may
		is.True(err != nil)
		is.Equal(time.Since(begin), time.Duration(0))
		time.Sleep(keyPatience)
	})
}

func TestOnceTheKeyIsKnownNobodyWaitsForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		slow := false
		k := &publicKey{now: time.Now, fetch: func(ctx context.Context) (*rsa.PublicKey, error) {
			if slow {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return publicRSA(3), nil
		}}
		first, err := k.get(t.Context())
		is.NoErr(err)
		slow = true
		time.Sleep(keyLifetime + time.Second)
		begin := time.Now()
		forged := make(chan error)
		go func() { _, err := k.instead(t.Context(), first); forged <- err }()
		synctest.Wait()
		for range 6 { // good ones, while a forged one waits
			again, err := k.get(t.Context())
			is.NoErr(err)
			is.True(again == first)
		}
		is.Equal(time.Since(begin), time.Duration(0))
		is.Equal(<-forged, errSignature)
		is.Equal(time.Since(begin), keyPatience)
	})
}
