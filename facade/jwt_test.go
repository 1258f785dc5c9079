package facade

import (
	"context"
	"crypto/rsa"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

func TestTheRegistrysKeyIsFetchedNowAndThenAndStaysGoodWhileTheRegistryIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		down, fetched := errors.New("down"), 0
		key, err := &rsa.PublicKey{}, down
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
		is.Equal(fetched, 3)

		err, key = nil, &rsa.PublicKey{}
		k.expire() // a stranger's token can't have it fetched again at once
		_, _ = get()
		is.Equal(fetched, 3)
		time.Sleep(keyRetry)
		k.expire()
		got, failure = get()
		is.NoErr(failure)
		is.True(got == key) // the Registry's new one
		is.Equal(fetched, 4)
	})
}
